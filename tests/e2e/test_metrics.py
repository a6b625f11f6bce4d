"""/metrics, by a real server: what each worker counted is added up."""

import re

from tests.harness.collector import Collector
from tests.harness.prometheus import samples


def test_metrics_of_all_workers_are_added_up(collector: Collector) -> None:
    def stored() -> float:
        text = collector.request("GET", "/metrics", Authorization=None).body.decode()
        return samples(text, "thrad_events_total").get(
            (("channel", "server"), ("outcome", "stored"), ("partner", "acme")), 0
        )

    before = stored()
    for number in range(40):
        assert collector.post({"event_name": "counted", "event_id": f"counted-{number}"}).status == 204
    text = collector.request("GET", "/metrics", Authorization=None).body.decode()
    assert stored() - before == 40
    assert re.search(r"^thrad_commit_seconds_count [1-9]", text, re.MULTILINE)
    assert re.search(r"^thrad_geo_database_age_seconds ", text, re.MULTILINE)
