"""The index has every event once it is settled, however late it came, and none that is gone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from collect.models import Event, SearchBlock, SearchRun
from collect.search import entries, runs
from collect.storage import rows, store
from keys.models import ApiKey
from tests.harness import databases, factories, plans

pytestmark = pytest.mark.django_db

OLD = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def found(value: str) -> set[UUID]:
    """The events to which the index leads for the value."""
    slot, beginning = entries.key_of(entries.hash_of(value))
    blocks = SearchBlock.objects.filter(slot=slot).values_list("entries", flat=True)
    return {id for block in blocks for id in entries.events_of(bytes(block), beginning)}


def event(key: ApiKey, at: datetime = OLD, **fields: object) -> UUID:
    (written,) = store.write([factories.arrival(factories.source(key, received_at=at), **fields)])
    return UUID(written.id)


def spans() -> Iterator[tuple[UUID, UUID, int]]:
    yield from SearchRun.objects.order_by("first").values_list("first", "until", "events")


def assert_whole(events: int) -> None:
    """Fail unless each run begins where the one before ends, and all of them have so many events."""
    found = list(spans())
    assert [until for _, until, _ in found[:-1]] == [first for first, _, _ in found[1:]]
    assert sum(number for _, _, number in found) == events


def test_events_are_put_into_the_index_from_the_newest_backwards(key: ApiKey) -> None:
    plans.fill(key, 250, newest=OLD)
    assert runs.append(100)
    assert (found("many-250"), found("many-150")) == ({Event.objects.get(event_id="many-250").pk}, set())
    assert [runs.prepend(100) for _ in range(3)] == [True, True, False]
    assert found("many-1") == {Event.objects.get(event_id="many-1").pk}
    assert len(found("session-7")) == 5
    assert_whole(250)
    assert runs.bounds()[0] == runs.FIRST


def test_few_events_and_none_are_left_to_be_read(key: ApiKey) -> None:
    assert not runs.append(100)
    plans.fill(key, 99, newest=OLD)
    assert not runs.append(100)
    assert not runs.prepend(100)
    assert not SearchRun.objects.exists()


def test_new_events_follow_once_they_are_enough_and_settled(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(hours: float) -> None:
        moment = UUID(rows.uuid7(OLD + timedelta(hours=hours), 0))
        monkeypatch.setattr(runs, "settled", lambda: moment)

    settle(1)
    plans.fill(key, 100, newest=OLD)
    assert runs.append(100)
    plans.fill(factories.key()[0], 101, newest=OLD + timedelta(hours=2))
    assert not runs.append(50)
    settle(3)
    assert [runs.append(50) for _ in range(3)] == [True, True, False]
    assert_whole(200)


def test_settled_is_what_is_older_than_the_way_of_an_event() -> None:
    now = datetime.now(UTC)
    assert UUID(rows.uuid7(now - runs.SETTLED - timedelta(milliseconds=2))) < runs.settled(now)
    assert UUID(rows.uuid7(now)) > runs.settled(now)


@pytest.mark.parametrize("name", entries.COLUMNS)
def test_event_is_found_by_each_id_of_the_contract(key: ApiKey, name: str) -> None:
    id = event(key, OLD, **{name: "needle"})
    runs.make(runs.FIRST, runs.LAST)
    assert found("needle") == {id}
    assert found("Needle") == set()


@pytest.mark.parametrize("name", entries.PARAMS)
@pytest.mark.parametrize(("sent", "text"), [("A-1", "A-1"), (10_000_001, "10000001"), ("ü🎉", "ü🎉")])
def test_event_is_found_by_the_number_of_its_order(key: ApiKey, name: str, sent: object, text: str) -> None:
    id = event(key, params={name: sent, "value": 58.0})
    runs.make(runs.FIRST, runs.LAST)
    assert found(text) == {id}


def test_what_is_no_text_in_params_is_no_order(key: ApiKey) -> None:
    event(key, event_id="e", params={"order_id": None, "transaction_id": ""})
    runs.make(runs.FIRST, runs.LAST)
    assert found("e")
    assert sum(len(block.entries) for block in SearchBlock.objects.all()) == entries.ENTRY_BYTES


def test_event_that_came_late_is_found_after_the_next_check(key: ApiKey) -> None:
    plans.fill(key, 100, newest=OLD)
    runs.append(100)
    runs.prepend(100)
    assert not any(map(runs.check, SearchRun.objects.all()))
    id = event(key, OLD - timedelta(days=400), client_id="late")
    assert [runs.check(run) for run in SearchRun.objects.order_by("first")] == [True, False]
    assert found("late") == {id}
    assert_whole(101)


def test_event_that_was_deleted_is_out_of_the_index_after_the_next_check(key: ApiKey) -> None:
    plans.fill(key, 100, newest=OLD)
    runs.append(100)
    Event.objects.filter(event_id="many-7").delete()
    (run,) = SearchRun.objects.all()
    assert runs.check(run)
    assert found("many-7") == set()
    assert found("many-8")
    assert_whole(99)


def test_deleted_event_in_whose_place_another_came_is_noticed(key: ApiKey) -> None:
    plans.fill(key, 100, newest=OLD)
    runs.append(100)
    Event.objects.filter(event_id="many-7").delete()
    event(key, OLD - timedelta(milliseconds=50), event_id="instead")
    (run,) = SearchRun.objects.all()
    assert run.events == Event.objects.count()
    assert runs.check(run)
    assert found("instead")


def test_run_that_grew_by_an_import_is_divided_and_loses_nothing_meanwhile(key: ApiKey) -> None:
    plans.fill(key, 10, newest=OLD)
    runs.append(10)
    runs.prepend(10)
    plans.fill(factories.key()[0], 95, newest=OLD - timedelta(seconds=9))
    steps = 0
    while any(runs.check(run, 20) for run in SearchRun.objects.order_by("-is_suspect", "first")):
        steps += 1
        assert len(found("many-3")) in (1, 2)
        assert steps < 20
    assert_whole(105)
    assert max(number for *_, number in spans()) <= 40
    assert all(len(found(f"many-{number}")) == 1 + (number <= 10) for number in range(1, 96))


def test_no_more_of_a_run_that_grew_is_looked_at_than_two_steps(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    plans.fill(key, 10, newest=OLD)
    runs.append(10)
    runs.prepend(10)
    plans.fill(factories.key()[0], 300, newest=OLD - timedelta(seconds=9))
    counted: list[int] = []
    original = runs._sum

    def counting(*args: Any) -> tuple[int, int]:
        found = original(*args)
        counted.append(found[0])
        return found

    monkeypatch.setattr(runs, "_sum", counting)
    while any(runs.check(run, 20) for run in SearchRun.objects.order_by("-is_suspect", "first")):
        assert len(counted) < 100
    assert max(counted) == 41
    assert_whole(310)


def test_sqlite_reads_events_before_the_transaction_that_keeps_others_from_writing(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans.fill(key, 10, newest=OLD)
    runs.append(10)
    Event.objects.filter(event_id="many-7").delete()
    depths: list[int] = []

    def noting(*args: Any) -> dict[int, bytes]:
        depths.append(len(connection.savepoint_ids))
        return entries.blocks_of(*args)

    monkeypatch.setattr("collect.search.runs.blocks_of", noting)
    assert any(map(runs.check, SearchRun.objects.all()))
    # The test itself is one transaction, in which others are savepoints.
    assert depths == ([0] if databases.is_sqlite() else [])


@pytest.mark.postgresql
def test_no_statement_writes_the_run_and_reads_the_events(key: ApiKey) -> None:
    plans.fill(key, 10, newest=OLD)
    with CaptureQueriesContext(connection) as queries:
        runs.make(runs.FIRST, runs.LAST)
    texts = [query["sql"] for query in queries]
    assert [text for text in texts if SearchRun._meta.db_table in text and Event._meta.db_table in text] == []
    assert found("many-3")


def test_event_that_comes_while_a_run_is_made_is_found_by_the_next_check(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans.fill(key, 10, newest=OLD)
    original = SearchRun.objects.create

    def create(**fields: Any) -> SearchRun:
        event(key, OLD - timedelta(milliseconds=5), client_id="meanwhile")
        return original(**fields)

    with monkeypatch.context() as patched:
        patched.setattr(SearchRun.objects, "create", create)
        runs.make(runs.FIRST, runs.LAST)
    assert any(map(runs.check, SearchRun.objects.all()))
    assert found("meanwhile")
    assert_whole(11)


def test_run_that_somebody_else_made_anew_is_left_alone(key: ApiKey) -> None:
    plans.fill(key, 100, newest=OLD)
    runs.append(100)
    (seen,) = SearchRun.objects.all()
    Event.objects.filter(event_id="many-7").delete()
    assert runs.check(seen)
    now = set(SearchRun.objects.values_list("pk", flat=True))
    runs.check(seen)
    assert set(SearchRun.objects.values_list("pk", flat=True)) == now
    assert_whole(99)


def test_same_run_is_not_made_twice(key: ApiKey) -> None:
    plans.fill(key, 10, newest=OLD)
    runs.make(runs.FIRST, runs.LAST)
    with pytest.raises(IntegrityError), transaction.atomic():
        runs.make(runs.FIRST, UUID(int=5))
    assert_whole(10)
    assert found("many-3")


def test_suspects_are_the_runs_in_which_the_ids_lie(key: ApiKey) -> None:
    plans.fill(key, 30, newest=OLD)
    runs.append(10)
    runs.prepend(10)
    runs.prepend(10)
    runs.suspect([])
    assert not SearchRun.objects.filter(is_suspect=True).exists()
    runs.suspect([rows.uuid7(OLD - timedelta(milliseconds=15))])
    (suspect,) = SearchRun.objects.filter(is_suspect=True)
    assert suspect == SearchRun.objects.order_by("first")[1]
    assert not runs.check(suspect)
    assert not SearchRun.objects.filter(is_suspect=True).exists()


@pytest.mark.postgresql
def test_run_is_made_by_a_plan_that_reads_its_events_alone(key: ApiKey) -> None:
    plans.fill(key, 6_000, newest=OLD)
    first, until = (Event.objects.get(event_id=f"many-{number}").pk for number in (3_000, 4_000))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {runs._POSTGRESQL}", {**runs._bounds(first, until), "run": 1})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert "Index Scan" in plan or "Index Only Scan" in plan
