"""What a scrape of /metrics says."""

from prometheus_client.parser import text_string_to_metric_families


def samples(text: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """The values of a metric by its labels."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {tuple(sorted(sample.labels.items())): sample.value for sample in found if sample.name == name}
