"""What reads too much is told from what does not, on either database."""

import pytest
from django.db import connection

from collect.models import Event
from tests.harness import databases, factories, plans

pytestmark = pytest.mark.django_db

ROWS = 8_000


@pytest.fixture(autouse=True)
def events(db: None) -> None:
    plans.fill(factories.issue()[0], ROWS)


def test_filled_events_have_ids_in_the_order_of_their_moments() -> None:
    first, last = Event.objects.order_by("id")[0], Event.objects.order_by("-id")[0]
    assert Event.objects.count() == ROWS
    assert (first.event_id, last.event_id) == ("many-1", f"many-{ROWS}")
    assert (last.received_at - first.received_at).total_seconds() * 1000 == pytest.approx(ROWS - 1)
    assert last.id.int >> 80 == pytest.approx(last.received_at.timestamp() * 1000, abs=1)
    assert Event.objects.filter(client_id="client-7", session_id="session-201").get().event_id == "many-1007"


def test_page_of_the_newest_reads_no_more_than_it_shows() -> None:
    with plans.captured() as queries:
        list(Event.objects.order_by("-id")[:50])
    (plan,) = plans.assert_bounded(queries, rows=50)
    assert databases.is_sqlite() or plan.rows == 50


def test_column_without_an_index_is_found_out() -> None:
    with plans.captured() as queries:
        list(Event.objects.filter(client_id="client-7"))
    with pytest.raises(AssertionError, match="reads all of collect_event"):
        plans.assert_bounded(queries)


@pytest.mark.postgresql
def test_index_that_is_read_from_end_to_end_is_found_out() -> None:
    with plans.captured() as queries:
        Event.objects.filter(pk__gt="00000000-0000-0000-0000-000000000000").count()
    with pytest.raises(AssertionError, match=f"reads {ROWS} rows"):
        plans.assert_bounded(queries)


def test_what_writes_is_not_explained_and_nothing_is_not_enough() -> None:
    with plans.captured() as queries, connection.cursor() as cursor:
        cursor.execute("UPDATE collect_event SET event_name = 'other' WHERE event_id = 'many-1'")
    assert queries == []
    with pytest.raises(AssertionError, match="no query"):
        plans.assert_bounded(queries)
