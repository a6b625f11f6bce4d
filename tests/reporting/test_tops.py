from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collect.intake.source import Source
from collect.storage import store
from reporting import tops
from reporting.ranges import Range
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
    found = tops.of(HOUR)
    assert (found.events, found.is_whole) == (4, True)
    assert found.by["event_name"] == [("order_created", 3), ("other", 1)]
    assert found.by["geo_country"] == []


def test_only_the_newest_are_looked_at_and_it_says_so(source: Source) -> None:
    for minute in range(10, 0, -1):
        at = factories.source(factories.key()[0], received_at=NOON - timedelta(minutes=minute))
        store.write([factories.arrival(at, event_name=f"name-{minute}")])
    found = tops.of(HOUR, looked_at=4)
    assert (found.events, found.is_whole, found.since) == (4, False, NOON - timedelta(minutes=4))
    assert {name for name, _ in found.by["event_name"]} == {"name-1", "name-2", "name-3", "name-4"}


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
