"""What is counted, who may read it, and that each event is counted once."""

import sys
import threading
from collections import Counter
from typing import Any

import pytest
from django.test import Client
from prometheus_client import Histogram

from runtime import metrics
from tests.harness import factories
from tests.harness.factories import SEED_EVENT
from tests.harness.prometheus import counted, samples

both = pytest.mark.django_db(transaction=True, databases=["default", "spool"])


def events(client: Client) -> Counter[str]:
    text = client.get("/metrics").content.decode()
    counted: Counter[str] = Counter()
    for labels, value in samples(text, "thrad_events_total").items():
        counted[dict(labels)["outcome"]] += int(value)
    return counted


@both
def test_each_event_is_counted_once_by_its_outcome(client: Client) -> None:
    _, raw_key = factories.key()

    def post(event: Any, path: str = "/api/collect") -> None:
        client.post(path, event, content_type="application/json", headers={"Authorization": f"Bearer {raw_key}"})

    before = events(client)
    batch = [{**SEED_EVENT, "event_id": str(n)} for n in range(4)]
    post(SEED_EVENT)
    post(SEED_EVENT)
    post({**SEED_EVENT, "params": {}})
    post({})
    post({"events": [*batch, batch[0], {"event_name": 1}]}, "/api/collect/batch")
    post(SEED_EVENT, "/api/collect/validate")
    assert events(client) - before == {
        "stored": 5,
        "duplicate": 2,
        "conflict": 1,
        "rejected": 2,
    }


@both
def test_events_with_names_nearly_ours_are_counted_by_field_and_partner(client: Client) -> None:
    key, raw_key = factories.key()

    def post(event: Any, path: str = "/api/collect") -> None:
        client.post(path, event, content_type="application/json", headers={"Authorization": f"Bearer {raw_key}"})

    post({**SEED_EVENT, "zeta": 1})
    for _ in range(2):
        post({"event_name": "x", "eventId": "e"})
    post(
        [{"event_name": "x", "event-id": "e"}, {"event_name": "x", "ua": "curl"}, {"eventId": "e"}],
        "/api/collect/batch",
    )
    post({"event_name": "x", "eventId": "e"}, "/api/collect/validate")
    counted = samples(client.get("/metrics").content.decode(), "thrad_hints_total")
    of_partner = {dict(labels)["field"]: n for labels, n in counted.items() if ("partner", key.partner.name) in labels}
    assert of_partner == {"event_id": 3, "user_agent": 1}


@both
@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("127.0.0.1", None, 200),
        ("::1", None, 200),
        ("::ffff:127.0.0.1", None, 200),
        ("192.0.2.1", None, 403),
        ("192.0.2.1", "127.0.0.1", 403),
        ("127.0.0.1", "192.0.2.1", 403),
        ("", None, 403),
    ],
)
def test_only_allowed_networks_may_read(client: Client, peer: str, forwarded: str | None, status: int) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = client.get("/metrics", REMOTE_ADDR=peer, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "forbidden"


def buckets(metric: str) -> dict[str, float]:
    return {le: counted(f"{metric}_bucket", le=le) for le in ("1.0", "2.0", "4.0", "8.0", "512.0", "+Inf")}


def test_histogram_that_is_summed_says_what_prometheus_own_would() -> None:
    ours = metrics.SummedHistogram("ours", "x", (1, 2, 4, 8, 512))
    theirs = Histogram("theirs", "x", buckets=(1, 2, 4, 8, 512))
    for amount in (0, 1, 1, 1.5, 3, 8, 9, 512, 600):
        ours.observe(amount)
        theirs.observe(amount)
    assert buckets("ours")["+Inf"] == 0
    ours.publish()
    ours.publish()
    assert buckets("ours") == buckets("theirs")
    assert counted("ours_sum") == counted("theirs_sum")
    assert counted("ours_count") == 9


def test_process_that_publishes_nothing_holds_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_WAITING", 10)
    before = counted("thrad_drained_events_total", outcome="stored")
    metric = metrics.DRAINED.labels("stored")
    for _ in range(25):
        metrics.count(metric, 2)
    assert len(metrics._counted) <= 10
    histogram = metrics.SummedHistogram("bounded", "x", (1,))
    for _ in range(25):
        histogram.observe(1)
    assert len(histogram._observed) <= 10
    assert counted("thrad_drained_events_total", outcome="stored") == before + 50


def test_threads_that_publish_at_once_count_everything_once() -> None:
    before = counted("thrad_drained_events_total", outcome="stored")
    metric, interval = metrics.DRAINED.labels("stored"), sys.getswitchinterval()

    def work() -> None:
        for _ in range(3_000):
            metrics.count(metric, 1)
            metrics.publish()

    threads = [threading.Thread(target=work) for _ in range(3)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert counted("thrad_drained_events_total", outcome="stored") == before + 9_000
