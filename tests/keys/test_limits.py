"""Limits: the bucket and the day, in memory and in a real Redis alike, and what senders and operators see of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from collect.models import Event, Rejection
from keys import denials, limits
from keys.limits import DAY, Limiter, Memory, Quota, Redis
from keys.models import ApiKey, KeyChange, Partner
from runtime.circuit import Circuit
from runtime.refusals import Refusal
from tests.harness import factories
from tests.harness import redis as servers
from tests.harness.commands import run
from tests.harness.prometheus import counted
from tests.harness.values import some


class Clock:
    """Seconds that move when told; midnight to begin with."""

    def __init__(self) -> None:
        self.now = 20_000 * float(DAY)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Redis]:
    with servers.running() as running:
        yield running


@given(
    rate=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 100)), max_size=60),
)
def test_no_more_passes_than_the_rate_and_one_burst(rate: int, steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    memory, quota, start = Memory(clock), Quota(rate, None), clock.now
    passed = largest = 0
    for pause, events in steps:
        clock.now += pause
        if memory.take("k", quota, events).wait == 0:
            passed, largest = passed + events, max(largest, events)
    # One request that is larger than the bucket may be ahead of it.
    assert passed <= rate * (clock.now - start) + rate * quota.burst + largest + 1e-3


@pytest.mark.parametrize("rate", [1, 3, 100])
def test_steady_sender_at_the_limit_is_never_refused_and_one_above_gets_the_limit(clock: Clock, rate: int) -> None:
    memory, quota = Memory(clock), Quota(rate, None)
    for _ in range(50 * rate):
        assert memory.take("steady", quota, 1).wait == 0
        clock.now += 1 / rate
    passed = 0
    for _ in range(20 * rate * 10):
        passed += memory.take("eager", quota, 1).wait == 0
        clock.now += 1 / rate / 10
    assert 20 * rate <= passed <= 20 * rate + max(1, rate / 2) + 1


def test_wait_is_the_time_after_which_it_passes(clock: Clock) -> None:
    memory, quota = Memory(clock), Quota(10, None)
    while (count := memory.take("k", quota, 1)).wait == 0:
        pass
    assert 0 < count.wait <= 0.1
    clock.now += count.wait - 0.001
    assert memory.take("k", quota, 1).wait > 0
    clock.now += 0.001
    assert memory.take("k", quota, 1).wait == 0


def test_batch_above_the_bucket_passes_and_is_paid_back(clock: Clock) -> None:
    memory, quota = Memory(clock), Quota(100, None)
    assert memory.take("k", quota, 500).wait == 0
    assert memory.take("k", quota, 1).wait == pytest.approx(4.51)
    clock.now += 4.6
    assert memory.take("k", quota, 1).wait == 0


def test_day_is_counted_from_midnight(clock: Clock) -> None:
    memory, quota = Memory(clock), Quota(None, 10)
    clock.now += DAY - 60
    assert memory.take("k", quota, 8).wait == 0
    assert memory.take("k", quota, 3).wait == 60
    assert memory.take("k", quota, 2).wait == 0
    clock.now += 60
    assert memory.take("k", quota, 10).wait == 0
    assert memory.take("other", quota, 10).wait == 0


def test_what_is_refused_takes_nothing(clock: Clock) -> None:
    memory, quota = Memory(clock), Quota(100, 10)
    for _ in range(5):
        assert memory.take("k", quota, 11).wait > 0
    assert memory.take("k", quota, 10).wait == 0


def test_memory_is_bounded_and_keeps_the_keys_that_go_on_sending(clock: Clock) -> None:
    memory = Memory(clock, capacity=3)
    assert memory.take("busy", Quota(None, 100), 50).today == 50
    for n in range(10):
        memory.take(str(n), Quota(1, None), 1)
        memory.take("busy", Quota(None, 100), 1)
    assert memory.take("busy", Quota(None, 100), 1).today == 61
    assert len(memory._counts) == 3


def test_redis_counts_like_memory(server: servers.Redis, clock: Clock) -> None:
    """Both are given the same; the clock of Redis goes on, so waits are long beside whatever a call takes."""
    counters: list[Redis | Memory] = [Redis(server.url), Memory(clock)]
    quota = Quota(0.001, 7)
    for events in (1, 1, 5, 2, 1):
        found = [counter.take("same", quota, events) for counter in counters]
        assert found[0].today == found[1].today, events
        assert found[0].wait == pytest.approx(found[1].wait, rel=0.1), events
    quota = Quota(100, None)
    for counter in counters:
        assert counter.take("b", quota, 50_000).wait == 0
    # What is beyond the bucket is paid back: 500 s, and 20 events have to fit into the half second that may be free.
    shared, own = (counter.take("b", quota, 20).wait for counter in counters)
    assert own == pytest.approx(499.7)
    assert own * 0.9 < shared <= own + 0.001


def test_redis_is_shared(server: servers.Redis) -> None:
    one, other = Redis(server.url), Redis(server.url)
    quota = Quota(None, 10)
    assert one.take("shared", quota, 6).wait == 0
    assert other.take("shared", quota, 6).wait > 0
    assert other.take("shared", quota, 4).wait == 0
    assert 0 < redis.Redis.from_url(server.url).ttl("thrad_events:limit:shared") <= 2 * DAY


@pytest.fixture
def nobody_waits() -> None:
    denials.shared._waiting.clear()


def post(raw_key: str, body: Any, path: str = "/api/collect") -> Any:
    client = Client(headers={"Authorization": f"Bearer {raw_key}"})
    return client.post(path, json.dumps(body), content_type="application/json")


def events(partner: Partner, outcome: str) -> float:
    return counted("thrad_events_total", partner=partner.name, outcome=outcome, channel="server")


@pytest.mark.django_db
def test_sender_is_told_429_with_what_is_left_and_when(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, nobody_waits: None
) -> None:
    monkeypatch.setattr(limits, "take", Limiter("", 1, Memory(clock)).take)
    key, raw_key = factories.issue(per_second=4, per_day=100, partner=factories.partner("Limited"))
    first = post(raw_key, {"event_name": "x"})
    assert first.status_code == 204
    assert first["RateLimit-Policy"] == '"second";q=4;w=1, "day";q=100;w=86400'
    assert first["RateLimit"] == '"second";r=1;t=0, "day";r=99;t=86400'
    assert post(raw_key, {}).status_code == 400  # what is refused otherwise is counted too
    refused = post(raw_key, {"event_name": "x"})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.json()["detail"] == "The key may send 4 events a second and 100 events a day"
    assert refused["Retry-After"] == "1"
    assert refused["RateLimit"] == '"second";r=0;t=1, "day";r=98;t=86400'
    clock.now += 0.5
    batch = post(raw_key, {"events": [{"event_name": "x"}] * 60}, "/api/collect/batch")
    assert (batch.status_code, batch.json()["stored"]) == (200, 60)
    assert batch["RateLimit"].endswith('"day";r=38;t=86400')
    clock.now += 60
    assert post(raw_key, {"events": [{"event_name": "x"}] * 60}, "/api/collect/batch").status_code == 429
    assert post(raw_key, {"event_name": "x"}, "/api/collect/validate").status_code == 200
    assert Event.objects.count() == 61
    assert [events(key.partner, outcome) for outcome in ("stored", "rejected", "rate_limited")] == [61, 1, 61]
    assert not Rejection.objects.filter(code="rate_limited").exists()
    denials.write()
    assert KeyChange.objects.get(what="refused").detail == "rate limited"


@pytest.mark.django_db
def test_key_without_a_limit_is_told_none() -> None:
    _, raw_key = factories.issue()
    assert not any(name.startswith("RateLimit") for name in post(raw_key, {"event_name": "x"}).headers)


@pytest.mark.django_db
def test_batch_above_the_day_says_so(settings: Settings) -> None:
    settings.CACHE_URL, settings.WEB_CONCURRENCY = "", 1
    _, raw_key = factories.issue(per_day=5)
    told = post(raw_key, {"events": [{"event_name": "x"}] * 6}, "/api/collect/batch")
    assert told.status_code == 429
    assert told.json()["detail"] == "6 events in one request are more than the key may send in a day"


def test_redis_that_goes_away_is_replaced_by_a_share_in_memory(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    key = ApiKey(prefix="thrad_live_x", per_day=10)
    with servers.running() as server:
        circuit = Circuit("the cache of limits", 5.0, clock)
        limiter = Limiter(server.url, processes=2, circuit=circuit)
        for _ in range(10):
            limiter.take(key, 1)
        with pytest.raises(Refusal):
            limiter.take(key, 1)
        server.kill()
        for _ in range(5):
            limiter.take(key, 1)
        with pytest.raises(Refusal):
            limiter.take(key, 1)
        assert len([line for line in caplog.records if "does not answer" in line.message]) == 1
        server.start()
        clock.now += 5.0
        limiter.take(key, 1)
        assert "is back" in caplog.text


@pytest.mark.django_db
def test_command_sets_and_lifts_limits() -> None:
    key, _ = factories.issue()
    out, _ = run("restrict_key", key.prefix, "--per-second", "100", "--per-day", "1000000")
    key.refresh_from_db()
    assert (key.per_second, key.per_day) == (100, 1_000_000)
    assert "events a second: 100; a day: 1000000." in out
    assert key.history.get(what="restricted").detail == "per_second: none → 100; per_day: none → 1000000"
    run("restrict_key", key.prefix, "--per-second", "0")
    key.refresh_from_db()
    assert (key.per_second, key.per_day) == (None, 1_000_000)
    with pytest.raises(CommandError, match="greater than or equal to 1"):
        run("restrict_key", key.prefix, "--per-day=-1")


@pytest.mark.django_db
def test_page_sets_limits_and_a_rotated_key_keeps_them() -> None:
    User.objects.create_superuser("operator", password="secret")
    client = Client()
    assert client.login(username="operator", password="secret")
    data = {"partner": factories.partner().pk, "label": "shop", "per_second": "50", "per_day": ""}
    client.post("/admin/keys/apikey/add/", data)
    key = ApiKey.objects.get()
    assert (key.per_second, key.per_day) == (50, None)
    page = f"/admin/keys/apikey/{key.pk}"
    wrong = client.post(f"{page}/change/", {**data, "per_second": "0"}).content.decode()
    assert "greater than or equal to 1" in wrong
    shown = client.post(f"{page}/rotate/", {"grace": "30"}, follow=True).content.decode()
    new = ApiKey.objects.get(prefix=some(re.search(r"thrad_live_[0-9A-Za-z]{12}_", shown))[0].rstrip("_"))
    assert (new.pk != key.pk, new.per_second) == (True, 50)
