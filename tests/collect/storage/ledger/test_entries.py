from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from collect.models import LedgerBatch, LedgerEntry
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Entry
from keys.models import ApiKey
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def api_key() -> ApiKey:
    return factories.key()[0]


def entry(api_key: ApiKey, minute: int = 0, outcome: str = "stored", **fields: Any) -> Entry:
    found = Entry(NOON + timedelta(minutes=minute), api_key.partner_id, api_key.pk, False, "collect", outcome)
    return found._replace(**fields)


def events() -> dict[tuple[datetime, int, str], int]:
    return {(row.start, row.minutes, row.outcome): row.events for row in LedgerEntry.objects.all()}


def test_adding_is_adding(api_key: ApiKey) -> None:
    entries.add({entry(api_key): Amount(2, 1, 10), entry(api_key, outcome="duplicate"): Amount(1)})
    entries.add({entry(api_key): Amount(3, 2, 20)})
    stored = LedgerEntry.objects.get(outcome="stored")
    assert (stored.events, stored.requests, stored.bytes) == (5, 3, 30)
    assert LedgerEntry.objects.get(outcome="duplicate").events == 1


def test_events_without_a_key_are_added_by_partner(api_key: ApiKey) -> None:
    imported = entry(api_key, api_key_id=None, endpoint="import")
    for _ in range(2):
        entries.add({imported: Amount(7), entry(api_key): Amount(1)})
    assert LedgerEntry.objects.get(api_key=None).events == 14
    assert LedgerEntry.objects.get(api_key=api_key).events == 2


def test_many_entries_are_added_in_steps(api_key: ApiKey) -> None:
    many = {entry(api_key, minute): Amount(1) for minute in range(1_200)}
    entries.add(many)
    entries.add(many)
    assert LedgerEntry.objects.filter(events=2).count() == 1_200


def test_batch_is_added_once_however_often_it_comes(api_key: ApiKey) -> None:
    first, second = uuid4(), uuid4()
    entries.add_once({first: {entry(api_key): Amount(1)}}, NOON)
    entries.add_once({first: {entry(api_key): Amount(1)}, second: {entry(api_key): Amount(10)}}, NOON)
    assert LedgerEntry.objects.get().events == 11
    entries.add_once({uuid4(): {}}, NOON, known=first)
    assert set(LedgerBatch.objects.values_list("pk", flat=True)) >= {second}
    assert not LedgerBatch.objects.filter(pk=first).exists()


def test_old_minutes_fold_into_their_hour_and_no_number_changes(api_key: ApiKey) -> None:
    entries.add({entry(api_key, minute): Amount(1, 1, 5) for minute in range(-30, 90)})
    entries.add({entry(api_key, minutes=60): Amount(1_000)})
    folded = 0
    while found := entries.fold(NOON + timedelta(minutes=61)):
        folded += found
    assert folded == 90
    hours = {start: number for (start, minutes, _), number in events().items() if minutes == 60}
    assert hours == {NOON - timedelta(hours=1): 30, NOON: 1_060}
    assert LedgerEntry.objects.filter(minutes=1).count() == 30
    assert sum(row.bytes for row in LedgerEntry.objects.all()) == 600


def test_hour_with_very_many_entries_is_folded_in_steps(api_key: ApiKey) -> None:
    entries.add({entry(api_key, code=f"code-{n}"): Amount(1) for n in range(1_200)})
    steps = []
    while found := entries.fold(NOON + timedelta(minutes=61)):
        steps.append(found)
    assert steps == [500, 500, 200]
    assert LedgerEntry.objects.filter(minutes=60, events=1).count() == 1_200


def test_what_is_older_than_thirteen_months_goes(api_key: ApiKey) -> None:
    entries.add({entry(api_key): Amount(1)})
    LedgerBatch.objects.create(id=uuid4(), added_at=NOON)
    entries.prune(NOON + timedelta(days=399))
    assert (LedgerEntry.objects.count(), LedgerBatch.objects.count()) == (1, 0)
    entries.prune(NOON + timedelta(days=401))
    assert not LedgerEntry.objects.exists()


def test_events_of_a_partner_that_a_restored_database_lacks_hold_up_nothing(api_key: ApiKey) -> None:
    stranger = entry(api_key, partner_id=2_000_000_000, api_key_id=2_000_000_000)
    entries.add_once({uuid4(): {entry(api_key): Amount(1), stranger: Amount(2)}}, NOON)
    assert sorted(LedgerEntry.objects.values_list("events", flat=True)) == [1, 2]
