"""The server's Prometheus metrics, which `/metrics` shows.

Every event of an authenticated sender is counted once, by its outcome: in `thrad_events_total`, or in
`thrad_test_events_total` if the key is a test key. Under gunicorn the values of all workers lie in files of one
directory (`PROMETHEUS_MULTIPROC_DIR`, which gunicorn.conf.py sets before this module is imported), so that any worker
can add them up.
"""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.registry import Collector

EVENTS = Counter("thrad_events", "Events of authenticated senders", ["outcome", "partner", "channel"])
# Counted separately, so that no sum of what partners send includes them.
TEST_EVENTS = Counter("thrad_test_events", "Events of test keys", ["outcome", "partner", "channel"])
REJECTIONS = Counter("thrad_rejections", "Refused events, and conflicts", ["code"])
HINTS = Counter("thrad_hints", "Events with a key that looks like a field and is not", ["field", "partner"])
DRAINED = Counter("thrad_drained_events", "Events moved from the spool to the database", ["outcome"])
GROUP_EVENTS = Histogram(
    "thrad_group_events", "Events that shared a commit", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
COMMIT_SECONDS = Histogram(
    "thrad_commit_seconds",
    "Time to make a group durable",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
AUTH_LOOKUPS = Counter("thrad_auth_lookups", "Keys looked up: in memory (hit) or in the database (miss)", ["result"])


def exposition(now: Collector) -> bytes:
    """Return, in Prometheus's text format, what all workers have counted and what `now` collects at this moment."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = generate_latest(registry)
    else:
        text = generate_latest(REGISTRY)
    moment = CollectorRegistry()
    moment.register(now)
    return text + generate_latest(moment)
