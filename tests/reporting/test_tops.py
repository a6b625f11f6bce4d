from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collect.intake.source import Source
from collect.storage import store
from reporting import tops
from reporting.figures import promptness
from reporting.ranges import Range
from reporting.rollups.running import Rollup
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = Range(NOON - timedelta(hours=1), NOON)


@pytest.fixture
def source() -> Source:
    return factories.source(factories.key()[0], received_at=NOON - timedelta(minutes=1))


def test_tops_are_of_all_live_events_of_the_range(source: Source) -> None:
    earlier = factories.source(factories.key()[0], received_at=NOON - timedelta(hours=2))
    of_test = factories.source(factories.key(is_test=True)[0], received_at=NOON - timedelta(minutes=1))
    store.write([factories.arrival(source, event_name="order_created") for _ in range(3)])
    store.write([factories.arrival(one, event_name="other") for one in (source, earlier, of_test)])
    for _ in range(2):
        found = tops.of(HOUR)
        assert (found.over, found.events) == (HOUR, 4)
        assert found.by["event_name"] == [("order_created", 3), ("other", 1)]
        assert found.by["country"] == []
        # Once from the events themselves, and once counted.
        list(Rollup().run(NOON + timedelta(days=1)))


def test_range_begins_with_a_quarter_hour_and_has_what_arrived_whenever_it_happened(source: Source) -> None:
    for minutes in (68, 61, 59):
        at = factories.source(factories.key()[0], received_at=NOON - timedelta(minutes=minutes))
        store.write([factories.arrival(at, timestamp=(NOON - timedelta(days=3)).timestamp())])
    found = tops.of(Range(NOON - timedelta(minutes=62), NOON - timedelta(minutes=2)))
    assert (found.over, found.events) == (Range(NOON - timedelta(minutes=75), NOON), 3)


def test_with_very_many_events_in_no_bucket_the_range_ends_where_the_counting_has_come_to(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promptness, "MOST_EVENTS", {"sqlite": 2, "postgresql": 2})
    store.write([factories.arrival(source, event_name="order_created")])
    list(Rollup().run(NOON + timedelta(minutes=1)))
    newest = factories.source(factories.key()[0], received_at=NOON + timedelta(minutes=2))
    store.write([factories.arrival(newest) for _ in range(3)])
    found = tops.of(Range(HOUR.start, NOON + timedelta(minutes=3)))
    assert (found.over, found.events) == (HOUR, 1)
    assert "Counting has come to 2026-11-26 12:00:00 UTC" in found.notes[0]
    # Where it has not come to the range at all there are no lists, and no range that would have nothing.
    found = tops.of(Range(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)))
    assert (found.events, found.by["event_name"], len(found.notes)) == (0, [], 1)


def test_most_frequent_value_is_found_whether_it_was_counted_or_not(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tops, "SHOWN", 2)
    store.write([factories.arrival(source, event_name=name) for name in ("a", "a", "a", "b", "b", "c", "d", "d")])
    list(Rollup().run(NOON + timedelta(minutes=1)))
    newest = factories.source(factories.key()[0], received_at=NOON + timedelta(minutes=2))
    store.write([factories.arrival(newest, event_name=name) for name in ("c", "c", "c", "e", "b")])
    found = tops.of(Range(HOUR.start, NOON + timedelta(minutes=3)))
    assert found.by["event_name"] == [("c", 4), ("a", 3)]
    assert found.events == 13


def test_worth_is_summed_by_currency_and_what_is_no_amount_counts_nothing(source: Source) -> None:
    sent = [
        {"value": 19.90, "currency": "EUR"},
        {"value": 0.10, "currency": "eur"},
        {"value": 5, "currency": "USD"},
        {"value": "0.10", "currency": "EUR"},
        {"value": "much", "currency": "EUR"},
        {"value": {"a": 1}, "currency": "EUR"},
        {"value": "1e400", "currency": "EUR"},
        {"value": 7},
        {"value": 7, "currency": "<b>"},
        {"value": "9" * 1_000, "currency": "EUR"},
        {"value": 7, "currency": "E" * 1_000},
    ]
    store.write([factories.arrival(source, params=params) for params in sent])
    assert tops.of(HOUR).worth == {"EUR": (Decimal("20.00"), 2), "USD": (Decimal(5), 1)}
