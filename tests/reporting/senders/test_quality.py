"""Shares of fields, and the moment from which one is missing: found among generated events, within a bound."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collect.models import Event
from collect.storage import store
from collect.storage.rows import Arrival
from keys.models import ApiKey
from reporting.ranges import Range
from reporting.senders import quality
from reporting.senders.quality import Sampled, Seen
from tests.harness import factories

END = datetime(2026, 11, 26, 16, tzinfo=UTC)
DAY = Range(END - timedelta(days=1), END)


def seen(minutes: float, name: str = "order_created", *fields: str) -> Seen:
    at = DAY.start + timedelta(minutes=minutes)
    return Seen(at, at, name, frozenset(fields))


def orders(rng: Random, events: int, share_before: float, share_after: float, change: float) -> list[Seen]:
    """Orders of a day, of which shares have a value before and after a minute, among page views that never have."""
    found = []
    for _ in range(events):
        minute = rng.uniform(0, 1_440)
        has = rng.random() < (share_before if minute < change else share_after)
        found += [seen(minute, "order_created", *(["params.value"] if has else []), "event_id")]
        found += [seen(minute + n, "contents_viewed", "event_id") for n in range(3)]
    return sorted(found, key=lambda one: one.received_at)


# --- shares ---


def test_shares_are_of_all_and_of_each_name() -> None:
    found = quality.shares(
        [
            seen(0, "order_created", "event_id", "params.value", "params.currency"),
            seen(1, "order_created", "params.value"),
            seen(2, "contents_viewed", "event_id", "click_id"),
            seen(3, "order_created"),
        ]
    )
    assert [(one.name, one.events) for one in found] == [("", 4), ("order_created", 3), ("contents_viewed", 1)]
    assert [one.shares["event id"] for one in found] == [0.5, 1 / 3, 1.0]
    assert [one.shares["currency beside value"] for one in found] == [0.5, 0.5, None]
    assert [one.shares["click id"] for one in found] == [0.25, 0.0, 1.0]


def test_shares_of_nothing_are_none() -> None:
    (found,) = quality.shares([])
    assert (found.events, set(found.shares.values())) == (0, {None})


def test_only_the_most_frequent_names_are_shown() -> None:
    many = [seen(n, f"name {n % 40}") for n in range(400)] + [seen(500, "frequent")] * 50
    found = quality.shares(many)
    assert len(found) == 1 + quality.SHOWN_NAMES
    assert found[1].name == "frequent"


# --- fields that vanished ---


@settings(max_examples=80)
@given(st.integers(0, 10_000), st.integers(150, 400), st.floats(0.93, 1), st.floats(0, 0.15), st.floats(400, 1_100))
def test_field_that_vanished_is_found_at_its_moment(
    seed: int, events: int, before: float, after: float, change: float
) -> None:
    found = quality.vanished(orders(Random(seed), events, before, after, change))
    (fall,) = found
    assert (fall.name, fall.field) == ("order_created", "params.value")
    assert fall.before == pytest.approx(before, abs=0.12)
    assert fall.after == pytest.approx(after, abs=0.2)
    # Within a few orders of the change, since single ones had it or had it not by chance.
    distance = timedelta(minutes=1_440 / events * 20)
    assert fall.last - distance < DAY.start + timedelta(minutes=change) < fall.first + distance


@settings(max_examples=80)
@given(st.integers(0, 10_000), st.integers(1, 400), st.floats(0, 1))
def test_field_that_some_events_always_lack_has_not_vanished(seed: int, events: int, share: float) -> None:
    assert quality.vanished(orders(Random(seed), events, share, share, 700)) == []


def test_field_that_appeared_or_fell_a_little_has_not_vanished() -> None:
    assert quality.vanished(orders(Random(1), 300, 0.0, 1.0, 700)) == []
    assert quality.vanished(orders(Random(1), 300, 1.0, 0.6, 700)) == []


def test_few_events_prove_nothing() -> None:
    few = [seen(n, "order_created", "params.value") for n in range(5)] + [seen(10 + n) for n in range(5)]
    assert quality.vanished(few) == []


def test_time_of_the_change_is_found_more_closely() -> None:
    everything = orders(Random(2), 4_000, 0.98, 0.0, 842)

    def read(period: Range) -> Sampled:
        within = [one for one in everything if period.start <= one.received_at < period.end]
        step = max(1, len(within) // 500)
        return Sampled(tuple(within[::step]), is_all=step == 1)

    (rough,) = quality.vanished(read(DAY).events)
    assert rough.first - rough.last > timedelta(minutes=2)
    fine = quality.closer(rough, read)
    truth = [one for one in everything if one.name == "order_created"]
    last = max(one.received_at for one in truth if "params.value" in one.fields)
    assert (fine.last, fine.before) == (last, rough.before)
    assert fine.first == min(one.received_at for one in truth if one.received_at > last)


def test_change_that_nothing_tells_more_of_stays_as_it_was() -> None:
    (rough,) = quality.vanished(orders(Random(3), 100, 1.0, 0.0, 700))
    assert quality.closer(rough, lambda period: Sampled((), is_all=True)) == rough
    assert quality.closer(replace(rough), lambda period: Sampled((), is_all=True)) == rough


# --- the sample ---


def write(key: ApiKey, *moments: datetime, **fields: Any) -> None:
    arrivals = [factories.arrival(factories.source(key, received_at=moment), **fields) for moment in moments]
    store.write(arrivals)


@pytest.fixture
def key(db: None) -> ApiKey:
    return factories.issue()[0]


def test_sample_has_the_fields_of_an_event_and_their_moments(key: ApiKey) -> None:
    at = DAY.start + timedelta(hours=3)
    write(
        key, at, event_name="order_created", timestamp=at.timestamp() - 60, click_id="c", page_url="https://x.example",
        params={"value": 1, "currency": "EUR", "coupon": None}, consent={"a": 1},
    )  # fmt: skip
    sampled = quality.sample(key.partner_id, DAY)
    (found,) = sampled.events
    assert sampled.is_all
    assert (found.received_at, found.timestamp, found.name) == (at, at - timedelta(seconds=60), "order_created")
    assert found.fields == {"click_id", "page_url", "consent", "params.value", "params.currency"}
    assert sampled.clock[0].age == 60


def test_sample_leaves_out_tests_imports_other_partners_and_large_params(key: ApiKey) -> None:
    at = DAY.start + timedelta(hours=3)
    write(key, at, event_id="mine")
    write(factories.issue(is_test=True)[0], at, event_id="test")
    write(factories.issue(partner=factories.partner("Beta"))[0], at, event_id="other")
    write(key, at, event_id="large", params={"text": "x" * 2 * quality.LARGEST_PARAMS, "more": list(range(3_000))})
    write(key, DAY.end, event_id="later")
    source = factories.source(key, received_at=at, channel="import", api_key_id=None)
    store.write([Arrival.of(arrival.row, arrival.body, "r") for arrival in [factories.arrival(source)]])
    assert Event.objects.filter(partner=key.partner).count() == 5
    assert [one.fields for one in quality.sample(key.partner_id, DAY).events] == [{"event_id"}]


def test_sample_is_bounded_and_from_all_parts_of_the_range(key: ApiKey) -> None:
    moments = [DAY.start + timedelta(minutes=n) for n in range(0, 1_440, 2)]
    write(key, *moments)
    sampled = quality.sample(key.partner_id, DAY, parts=4)
    assert not sampled.is_all
    assert len(sampled.events) == 4 * quality.EVENTS_OF_A_PART
    hours = {(one.received_at - DAY.start) // timedelta(hours=6) for one in sampled.events}
    assert hours == {0, 1, 2, 3}
    assert quality.sample(key.partner_id, DAY, parts=40).is_all
