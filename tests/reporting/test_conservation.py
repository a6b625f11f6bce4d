"""The equations: what came in and what became of it, and the rows of the table."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from collect.models import Event, LedgerGap, Machine
from collect.storage import ingest
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Endpoint, Entry
from collect.storage.ledger.tally import shared as counts
from collect.storage.removal import remove
from keys.models import ApiKey
from reporting import conservation
from reporting.conservation import Conservation
from reporting.ranges import Range
from reporting.traffic import EVERYBODY, Whose
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])

NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
HOUR = Range(NOW - timedelta(hours=1), NOW)
AT = NOW - timedelta(minutes=10)


@pytest.fixture
def key() -> ApiKey:
    return factories.key()[0]


def store(key: ApiKey, events: int, at: datetime = AT) -> None:
    """Store events on the road of an event, up to the ledger."""
    ingest.submit([factories.arrival(factories.source(key, received_at=at), n=n) for n in range(events)])
    entries.add(entries.total(counts.take()))


def look(whose: Whose = EVERYBODY) -> Conservation:
    return conservation.of(HOUR, whose, NOW)


def rows(found: Conservation) -> tuple[int, int]:
    assert found.rows is not None
    return found.rows.counted, found.rows.difference


def test_every_event_is_accounted_for(key: ApiKey) -> None:
    store(key, 5)
    found = look()
    assert (found.received, found.difference, rows(found)) == (5, 0, (5, 0))
    assert found.is_whole
    assert found.over.end == NOW - timedelta(minutes=1)


def test_event_without_an_outcome_is_a_difference(key: ApiKey) -> None:
    store(key, 5)
    entries.add({Entry(AT, key.partner_id, key.pk, False, "collect", "received"): Amount(2)})
    found = look()
    assert (found.difference, found.is_whole, found.is_explained) == (2, False, False)


def test_row_that_is_missing_is_a_difference_and_one_that_was_removed_is_not(key: ApiKey) -> None:
    store(key, 5)
    ids = list(Event.objects.values_list("pk", flat=True))
    remove(ids[:1], Endpoint.ERASE)
    remove(ids[1:2], Endpoint.PRUNE)
    found = look()
    assert rows(found) == (3, 0)
    assert found.rows
    assert {term.name: term.events for term in found.rows.terms if term.events} == {
        "stored at once": 5,
        "pruned": -1,
        "erased": -1,
    }
    Event.objects.filter(pk=ids[2]).delete()
    assert rows(look()) == (2, -1)


def test_what_is_unknown_explains_no_more_than_it_is(key: ApiKey) -> None:
    store(key, 5)
    entries.add({Entry(AT, key.partner_id, key.pk, False, "collect", "received"): Amount(3)})
    gap = LedgerGap.objects.create(machine="a", process=uuid4(), start=AT, end=AT + timedelta(seconds=3), events=2)
    assert (look().unknown, look().is_explained) == (2, False)
    gap.events = 3
    gap.save()
    assert look().is_explained
    LedgerGap.objects.update(start=NOW - timedelta(days=2), end=NOW - timedelta(days=1))
    assert not look().gaps


def test_machine_that_does_not_report_is_named(key: ApiKey) -> None:
    Machine.objects.create(name="a", reported_at=NOW - timedelta(minutes=5), geo_state="ok")
    Machine.objects.create(name="b", reported_at=NOW, geo_state="ok")
    Machine.objects.create(name="c", reported_at=NOW - timedelta(minutes=5), stopped_at=NOW, geo_state="ok")
    assert [machine.name for machine in look().silent] == ["a"]


def test_events_of_test_keys_are_among_the_rows_and_in_no_equation_of_live_ones(key: ApiKey) -> None:
    store(key, 2)
    store(factories.key(is_test=True)[0], 3)
    found = look()
    assert (found.received, rows(found)) == (2, (5, 0))
    assert rows(look(Whose(partner=key.partner_id))) == (2, 0)
    assert look(Whose(api_key=key.pk)).rows is None


def test_no_more_rows_are_counted_than_a_page_can(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conservation, "MAX_ROWS", 7)
    for minutes in (30, 20, 10):
        store(key, 4, NOW - timedelta(minutes=minutes))
    found = look()
    assert found.rows
    assert (found.rows.over.start, rows(found)) == (NOW - timedelta(minutes=10), (4, 0))
    assert found.received == 12


def test_of_old_hours_all_of_the_hour_is_looked_at(key: ApiKey) -> None:
    old = timezone.now().replace(minute=10, second=0, microsecond=0) - timedelta(days=5)
    store(key, 3, old)
    while entries.fold(timezone.now() - timedelta(days=2)):
        pass
    asked = Range(old + timedelta(minutes=10), old + timedelta(hours=4))
    found = conservation.of(asked, EVERYBODY)
    assert (found.over.start.minute, found.received, rows(found)) == (0, 3, (3, 0))


def test_rows_from_before_the_ledger_are_not_held_against_it(key: ApiKey) -> None:
    source = factories.source(key, received_at=NOW - timedelta(days=30))
    ingest.submit([factories.arrival(source)])
    for _ in counts.take():
        pass
    store(key, 2)
    found = conservation.of(Range(NOW - timedelta(days=60), NOW), EVERYBODY, NOW)
    assert (found.received, rows(found)) == (2, (2, 0))
