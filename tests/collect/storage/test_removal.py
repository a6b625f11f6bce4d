from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collect.models import Event, LedgerEntry
from collect.storage import store
from collect.storage.ledger.tally import Endpoint
from collect.storage.removal import remove
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)


def test_what_is_removed_is_counted_where_it_had_come_in() -> None:
    source = factories.source(factories.key()[0], received_at=NOON)
    store.write([factories.arrival(source, event_id=str(number)) for number in range(5)])
    ids = list(Event.objects.values_list("pk", flat=True))
    assert remove(ids[:3], Endpoint.PRUNE) == 3
    assert remove(ids, Endpoint.ERASE) == 2
    assert remove(ids, Endpoint.ERASE) == 0
    found = LedgerEntry.objects.values_list("endpoint", "outcome", "events", "start", "partner", "api_key")
    at = (NOON.replace(second=0), source.partner_id, source.api_key_id)
    assert set(found) == {("prune", "pruned", 3, *at), ("erase", "erased", 2, *at)}


def test_rows_are_locked_and_deleted_by_their_partner() -> None:
    keys = [factories.key()[0] for _ in range(2)]
    for key in (*keys, *reversed(keys)):
        store.write([factories.arrival(factories.source(key, received_at=NOON))])
    with CaptureQueriesContext(connection) as queries:
        assert remove([UUID(int=7), *Event.objects.values_list("pk", flat=True)], Endpoint.PRUNE) == 4
    locking = [query["sql"] for query in queries if "FOR UPDATE" in query["sql"]]
    deleting = [query["sql"] for query in queries if query["sql"].startswith('DELETE FROM "collect_event"')]
    assert (len(locking), len(deleting)) == (2 if connection.vendor == "postgresql" else 0, 2)
    assert all('"partner_id" = ' in sql for sql in (*locking, *deleting))
    found = LedgerEntry.objects.values_list("partner", "events")
    assert set(found) == {(key.partner_id, 2) for key in keys}
