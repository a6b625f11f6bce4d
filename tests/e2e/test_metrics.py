"""/metrics, by a real server: what each worker counted is added up."""

import re
import signal
import time
from pathlib import Path

import pytest

from runtime.metrics import PERIOD_SECONDS
from tests.harness import databases
from tests.harness.collector import Collector, Keyed
from tests.harness.prometheus import samples
from tests.harness.server import serve
from tests.harness.waiting import eventually


def stored_of(collector: Collector) -> float:
    text = collector.request("GET", "/metrics", Authorization=None).body.decode()
    return samples(text, "thrad_events_total").get(
        (("channel", "server"), ("outcome", "stored"), ("partner", "acme")), 0
    )


def test_metrics_of_all_workers_are_added_up(collector: Collector) -> None:
    # Until the workers have told of the events of other tests.
    time.sleep(2 * PERIOD_SECONDS)
    before = stored_of(collector)
    for number in range(40):
        assert collector.post({"event_name": "counted", "event_id": f"counted-{number}"}).status == 204
    assert eventually(lambda: stored_of(collector) - before == 40, seconds=10 * PERIOD_SECONDS)
    text = collector.request("GET", "/metrics", Authorization=None).body.decode()
    assert re.search(r"^thrad_commit_seconds_count [1-9]", text, re.MULTILINE)
    assert re.search(r"^thrad_geo_database_age_seconds ", text, re.MULTILINE)


@pytest.mark.once
def test_worker_that_ends_has_published_what_it_counted(template_with_key: Keyed, scratch: Path) -> None:
    with databases.new(scratch, template=template_with_key.url) as url, serve(url) as server:
        collector = Collector(server, url, template_with_key.raw_key)
        for number in range(20):
            assert collector.post({"event_name": "counted", "event_id": f"ended-{number}"}).status == 204
        server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: stored_of(collector) == 20, seconds=30)
