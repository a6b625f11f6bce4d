"""An event is found by its ids at any age, in the index and in what is too new for it; else the search says so."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from collect.models import Event, SearchRun
from collect.search import entries, runs
from collect.storage import store
from keys.models import ApiKey
from reporting.events import finding
from reporting.events.finding import PLACES, Coverage, Wanted, find
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db

OLD = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def event(key: ApiKey, at: datetime = OLD, **fields: object) -> UUID:
    (written,) = store.write([factories.arrival(factories.source(key, received_at=at), **fields)])
    return UUID(written.id)


def ids(value: str, **wanted: object) -> list[UUID]:
    return [hit.id for hit in find(Wanted(value, **wanted)).hits]  # type: ignore[arg-type]  # of any field


def number(id: UUID) -> int:
    return int(str(Event.objects.get(pk=id).event_id).removeprefix("many-"))


@pytest.mark.parametrize("is_indexed", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_event_is_found_where_the_value_stands(key: ApiKey, place: str, is_indexed: bool) -> None:
    fields = {"params": {place.removeprefix("params."): "needle"}} if "." in place else {place: "needle"}
    id = event(key, OLD - timedelta(days=700), **fields)
    event(key, event_name="needle", tag_id="needle", extra="needle", params={"other": "needle", "order_id": "Needle"})
    if is_indexed:
        runs.make(runs.FIRST, runs.LAST)
    found = find(Wanted("needle"))
    assert [(hit.id, hit.places) for hit in found.hits] == [(id, (place,))]
    assert (found.has_more, found.coverage) == (False, Coverage.ALL)


@pytest.mark.parametrize("is_indexed", [True, False])
def test_order_that_is_a_number_is_found_by_its_digits(key: ApiKey, is_indexed: bool) -> None:
    id = event(key, params={"order_id": 10_000_001})
    if is_indexed:
        runs.make(runs.FIRST, runs.LAST)
    assert ids("10000001") == [id]
    assert ids("1000000") == []


def test_event_is_found_once_that_has_the_value_in_two_places(key: ApiKey) -> None:
    id = event(key, event_id="same", params={"order_id": "same"})
    for _ in range(2):
        (hit,) = find(Wanted("same")).hits
        assert (hit.id, hit.places) == (id, ("event_id", "params.order_id"))
        if not SearchRun.objects.exists():
            runs.make(runs.FIRST, runs.LAST)


def test_index_leads_to_nothing_that_was_deleted_or_only_begins_alike(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = event(key, event_id="gone")
    event(key, event_id="other")
    monkeypatch.setattr(entries, "key_of", lambda hashed: (7, b"same"))
    runs.make(runs.FIRST, runs.LAST)
    Event.objects.filter(pk=gone).delete()
    assert ids("gone") == []
    assert ids("nothing") == []


def test_events_are_the_newest_first_and_the_next_page_goes_on(key: ApiKey) -> None:
    plans.fill(key, 100, newest=OLD)
    Event.objects.update(session_id="one")
    runs.append(40)
    runs.prepend(40)
    seen: list[int] = []
    before = None
    while (found := find(Wanted("one", before=before, limit=7))).hits:
        seen += [number(hit.id) for hit in found.hits]
        before = found.hits[-1].id
        if not found.has_more:
            break
    # Twenty are older than the index; those the coverage tells of.
    assert seen == list(range(100, 20, -1))
    assert found.coverage.oldest == runs.bounds()[0]


def test_later_events_are_the_nearest_first(key: ApiKey) -> None:
    plans.fill(key, 100, newest=OLD)
    middle = Event.objects.get(event_id="many-50").pk
    Event.objects.update(client_id="one")
    for _ in range(2):
        assert [number(id) for id in ids("one", after=middle, limit=3)] == [51, 52, 53]
        assert [number(id) for id in ids("one", before=middle, limit=3)] == [49, 48, 47]
        if not SearchRun.objects.exists():
            runs.append(30)
            while runs.prepend(30):
                pass


def test_places_and_partner_narrow_the_search(key: ApiKey) -> None:
    mine = event(key, session_id="x")
    event(key, client_id="x")
    event(factories.key(factories.partner("Other"))[0], session_id="x")
    for _ in range(2):
        assert ids("x", places=("session_id",), partner_id=key.partner_id) == [mine]
        if not SearchRun.objects.exists():
            runs.make(runs.FIRST, runs.LAST)


def test_more_new_events_than_are_read_are_told_of(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    plans.fill(key, 30, newest=OLD)
    monkeypatch.setattr(finding, "READ", 10)
    assert ids("many-21") == [Event.objects.get(event_id="many-21").pk]
    found = find(Wanted("many-20"))
    assert found.hits == []
    assert found.coverage.unread == (runs.FIRST, Event.objects.get(event_id="many-21").pk)
    Event.objects.filter(event_id__in=[f"many-{number}" for number in range(1, 21)]).delete()
    assert find(Wanted("many-20")).coverage.unread is None


def test_suspect_runs_are_told_of(key: ApiKey) -> None:
    runs.make(runs.FIRST, runs.LAST)
    runs.suspect([event(key)])
    assert find(Wanted("x")).coverage == Coverage(suspect=1)


def test_search_reads_bounded_rows_of_a_large_table(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    plans.fill(key, 12_000, newest=OLD)
    monkeypatch.setattr(finding, "READ", 1_000)
    while runs.append(1_000) or runs.prepend(1_000):
        pass
    for value in ("many-11999", "many-1", "session-100", "nothing"):
        with plans.captured() as queries:
            assert ids(value) or value == "nothing"
        plans.assert_bounded(queries, rows=2_500)
