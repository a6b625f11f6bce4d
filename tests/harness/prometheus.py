"""What a scrape of /metrics says, and what this process has counted."""

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from runtime import metrics


def samples(text: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """The values of a metric by its labels."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {tuple(sorted(sample.labels.items())): sample.value for sample in found if sample.name == name}


def counted(metric: str, **labels: str) -> float:
    """The value of a metric in this process, with what waits to be published."""
    metrics.publish()
    return REGISTRY.get_sample_value(metric, labels) or 0
