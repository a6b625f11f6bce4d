"""The server's Prometheus metrics, which `/metrics` shows.

Every event of an authenticated sender is counted once, by its outcome: in `thrad_events_total`, or in
`thrad_test_events_total` if the key is a test key. Under gunicorn the values of all workers lie in files of one
directory (`PROMETHEUS_MULTIPROC_DIR`, which gunicorn.conf.py sets before this module is imported), so that any worker
can add them up.
"""

import os
from bisect import bisect_left
from collections import Counter as Sums
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.registry import Collector

from runtime.periodic import Periodic

PERIOD_SECONDS = 1.0
# What may wait to be published. A command has no thread that publishes.
MAX_WAITING = 10_000


Item = TypeVar("Item")


def _taken(queue: deque[Item]) -> Iterator[Item]:
    """Take what is in the queue, each item once, whoever else takes at the same time."""
    with suppress(IndexError):
        for _ in range(len(queue)):
            yield queue.popleft()


class SummedHistogram(Histogram):
    """A histogram without labels of which `observe` costs next to nothing: `publish` adds up what was observed."""

    def __init__(self, name: str, documentation: str, buckets: tuple[float, ...]) -> None:
        super().__init__(name, documentation, buckets=buckets)
        self._observed: deque[float] = deque()

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Take an amount. It is seen after the next `publish`."""
        self._observed.append(amount)
        if len(self._observed) > MAX_WAITING:
            self.publish()

    def publish(self) -> None:
        """Count what was observed, as `Histogram.observe` would, but with one write for each bucket."""
        amounts = list(_taken(self._observed))
        for bucket, number in Sums(bisect_left(self._upper_bounds, amount) for amount in amounts).items():
            self._buckets[bucket].inc(number)
        if amounts:
            self._sum.inc(sum(amounts))


EVENTS = Counter("thrad_events", "Events of authenticated senders", ["outcome", "partner", "channel"])
# Counted separately, so that no sum of what partners send includes them.
TEST_EVENTS = Counter("thrad_test_events", "Events of test keys", ["outcome", "partner", "channel"])
REJECTIONS = Counter("thrad_rejections", "Refused events, and conflicts", ["code"])
HINTS = Counter("thrad_hints", "Events with a key that looks like a field and is not", ["field", "partner"])
DRAINED = Counter("thrad_drained_events", "Events moved from the spool to the database", ["outcome"])
GROUP_EVENTS = SummedHistogram(
    "thrad_group_events", "Events that shared a commit", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
COMMIT_SECONDS = SummedHistogram(
    "thrad_commit_seconds",
    "Time to make a group durable",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
AUTH_LOOKUPS = Counter("thrad_auth_lookups", "Keys looked up: in memory (hit) or in the database (miss)", ["result"])


_counted: deque[tuple[Counter, int]] = deque()


def count(metric: Counter, number: int) -> None:
    """Count what comes with every group of events. It is seen after the next `publish`.

    `Counter.inc` takes a lock, asks for the process id and writes to a file.
    """
    _counted.append((metric, number))
    if len(_counted) > MAX_WAITING:
        publish()


def publish() -> None:
    """Hand over what was counted and observed."""
    sums: Sums[Counter] = Sums()
    for metric, number in _taken(_counted):
        sums[metric] += number
    for metric, number in sums.items():
        metric.inc(number)
    GROUP_EVENTS.publish()
    COMMIT_SECONDS.publish()


# Started in a worker, which also publishes when it ends.
thread = Periodic("metrics", publish, PERIOD_SECONDS)


def exposition(now: Collector) -> bytes:
    """Return, in Prometheus's text format, what all workers have counted and what `now` collects at this moment.

    Of another worker up to a second may be missing.
    """
    publish()
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = generate_latest(registry)
    else:
        text = generate_latest(REGISTRY)
    moment = CollectorRegistry()
    moment.register(now)
    return text + generate_latest(moment)
