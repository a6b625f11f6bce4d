"""Sums of the ledger: what the pages and commands say of traffic."""

from datetime import UTC, datetime, timedelta

import pytest

from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Entry
from keys.models import ApiKey
from reporting import traffic
from reporting.ranges import Range
from reporting.traffic import Whose
from tests.harness import factories

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = Range(NOON, NOON + timedelta(days=1))


def add(key: ApiKey, minute: int, outcome: str, events: int, *more: str, requests: int = 0) -> None:
    endpoint, code = (*more, *("collect", "")[len(more) :])
    at = NOON + timedelta(minutes=minute)
    entry = Entry(at, key.partner_id, key.pk, key.is_test, endpoint, outcome, code)
    entries.add({entry: Amount(events, requests, 10 * requests)})


@pytest.fixture
def key() -> ApiKey:
    key = factories.key()[0]
    add(key, 0, "received", 10, requests=7)
    add(key, 0, "stored", 6)
    add(key, 0, "duplicate", 1)
    add(key, 0, "rejected", 2, "collect", "invalid_event")
    add(key, 0, "rejected", 1, "collect", "invalid_json")
    add(key, 61, "received", 5, "batch", requests=1)
    add(key, 61, "stored", 5, "batch")
    add(key, 62, "turned_away", 0, "other", "not_found", requests=3)
    add(key, 63, "stored", 100, "import")
    return key


def test_totals_are_what_senders_sent_and_nothing_else(key: ApiKey) -> None:
    found = traffic.totals(DAY)
    assert (found.received, found.requests, found.bytes) == (15, 8, 80)
    assert {name: events for name, events in found.outcomes.items() if events} == {
        "stored": 11,
        "duplicate": 1,
        "rejected": 3,
    }
    assert found.turned_away == {"not_found": 3}
    assert found.refused_share == 3 / 15
    assert traffic.totals(Range(NOON - timedelta(hours=1), NOON)).received == 0


def test_whose_traffic_is_a_partner_a_key_and_a_kind(key: ApiKey) -> None:
    test_key = factories.key(is_test=True)[0]
    add(test_key, 0, "received", 1_000)
    assert traffic.totals(DAY).received == 15
    assert traffic.totals(DAY, Whose(is_test=True)).received == 1_000
    assert traffic.totals(DAY, Whose(is_test=None)).received == 1_015
    assert traffic.totals(DAY, Whose(partner=key.partner_id)).received == 15
    assert traffic.totals(DAY, Whose(api_key=test_key.pk, is_test=None)).received == 1_000


def test_traffic_by_partner_is_what_the_totals_are(key: ApiKey) -> None:
    other = factories.key(factories.partner("Other"))[0]
    add(other, 0, "received", 100)
    add(other, 0, "stored", 100)
    add(other, 0, "turned_away", 0, "collect", "revoked", requests=1)
    found = traffic.by("partner", DAY)
    assert traffic.partners_of(found) == [other.partner_id, key.partner_id]
    assert found[key.partner_id].received == 15
    assert [*found[other.partner_id].outcomes] == list(traffic.OUTCOMES)
    assert sum(one.received for one in found.values()) == traffic.totals(DAY).received


def test_causes_are_sorted_by_how_often_they_are(key: ApiKey) -> None:
    assert traffic.causes(DAY) == [("invalid_event", 2), ("invalid_json", 1)]


def test_series_has_every_step_and_adds_up_to_the_totals(key: ApiKey) -> None:
    found = traffic.series(DAY)
    assert [point.over.start for point in found] == [NOON + timedelta(minutes=15 * n) for n in range(96)]
    assert found[0].outcomes == {"stored": 6, "duplicate": 1, "rejected": 3}
    assert found[4].outcomes == {"stored": 5}
    assert sum(sum(point.outcomes.values()) for point in found) == sum(traffic.totals(DAY).outcomes.values())


@pytest.mark.parametrize("length", [timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30)])
def test_chart_of_any_range_has_at_most_a_hundred_bars_and_covers_it(length: timedelta) -> None:
    over = Range(NOON + timedelta(minutes=7) - length, NOON + timedelta(minutes=7))
    found = traffic.series(over)
    assert len(found) <= 102
    assert found[0].over.start <= over.start
    assert found[-1].over.end >= over.end
