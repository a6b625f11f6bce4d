"""A limit under load: two workers, one Redis, ten times as much offered as is allowed."""

import http.client
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.harness import redis
from tests.harness.collector import Keyed, manage
from tests.harness.redis import Redis
from tests.harness.server import Server, serve

pytestmark = pytest.mark.alone

LIMIT, OFFERED, SENDERS = 100, 1_000, 8


class Sender(threading.Thread):
    """A thread that POSTs at a steady rate on one kept connection until the time is up, whatever is answered."""

    def __init__(self, server: Server, raw_key: str, seconds: float, rate: float) -> None:
        super().__init__(daemon=True)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self._server, self._seconds, self._rate = server, seconds, rate
        self._headers = {"Authorization": f"Bearer {raw_key}", "Content-Type": "application/json"}

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=10)
        body, start = json.dumps({"event_name": "x"}), time.monotonic()
        for n in range(int(self._seconds * self._rate)):
            time.sleep(max(0.0, start + n / self._rate - time.monotonic()))
            if time.monotonic() - start > self._seconds:
                break
            connection.request("POST", "/api/collect", body, self._headers)
            response = connection.getresponse()
            response.read()
            self.answers.append((response.status, dict(response.headers)))
        connection.close()


class Limited(NamedTuple):
    """A running server, a key that may send `LIMIT` events a second, and the Redis that counts them."""

    server: Server
    raw_key: str
    cache: Redis


def offer(server: Server, raw_key: str, seconds: float) -> tuple[list[tuple[int, dict[str, str]]], float]:
    senders = [Sender(server, raw_key, seconds, OFFERED / SENDERS) for _ in range(SENDERS)]
    start = time.monotonic()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(seconds + 60)
    return [answer for sender in senders for answer in sender.answers], time.monotonic() - start


@pytest.fixture
def limited(database_with_key: Keyed) -> Iterator[Limited]:
    url, raw_key = database_with_key
    with redis.running() as cache:
        manage(url, "restrict_key", raw_key, "--per-second", str(LIMIT))
        with serve(url, CACHE_URL=cache.url, WEB_CONCURRENCY="2") as server:
            yield Limited(server, raw_key, cache)


# A burst of half a second comes on top once: over a short time it counts for more.
@pytest.mark.parametrize(
    ("seconds", "most"), [(5, 1.12), pytest.param(20, 1.05, marks=pytest.mark.long)], ids=["short", "20 s"]
)
def test_limit_of_100_a_second_holds_under_1000(limited: Limited, seconds: float, most: float) -> None:
    server, raw_key, _ = limited
    answers, took = offer(server, raw_key, seconds)
    statuses = Counter(status for status, _ in answers)
    assert set(statuses) == {204, 429}
    assert len(answers) > 4 * LIMIT * took, "the machine did not offer enough to say anything"
    assert 0.95 * LIMIT * took <= statuses[204] <= most * LIMIT * took, (statuses, took)
    for status, headers in answers:
        assert headers["RateLimit-Policy"] == '"second";q=100;w=1'
        told = re.fullmatch(r'"second";r=(\d+);t=(\d+)', headers["RateLimit"])
        assert told, headers
        left, wait = map(int, told.groups())
        if status == 429:
            assert (headers["Retry-After"], left, wait) == ("1", 0, 1)
        else:
            assert (0 <= left < LIMIT / 2, "Retry-After" in headers) == (True, False)


def test_redis_killed_under_load_costs_no_sender_an_event(limited: Limited) -> None:
    server, raw_key, cache = limited
    killer = threading.Timer(1.5, cache.kill)
    killer.start()
    answers, took = offer(server, raw_key, 4)
    killer.join()
    statuses = Counter(status for status, _ in answers)
    assert set(statuses) == {204, 429}
    # Each of two workers grants its half, of whatever comes to it.
    assert 0.5 * LIMIT * took <= statuses[204] <= 1.5 * LIMIT * took, (statuses, took)
    assert "the cache of limits does not answer" in server.log
