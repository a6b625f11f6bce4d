"""The thread's turns: new events first, then late ones, then old ones, by one process of a machine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, IntegrityError
from pytest_django import Settings

from collect.models import Event, SearchRun
from collect.search import indexer, runs
from collect.search.indexer import Indexer
from runtime.periodic import alone
from tests.harness import factories, plans

# The turns close the connection after a failure.
pytestmark = pytest.mark.django_db(transaction=True)

OLD = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, settings: Settings) -> None:
    """A lock of the test's own: a server that another test has started holds the one of all as long as it runs."""
    settings.VAR_DIR = tmp_path


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the steps did, each of which makes runs of ten events."""
    found: list[str] = []

    def noted(name: str) -> None:
        original = getattr(runs, name)

        def call(*args: object) -> bool:
            if made := bool(original(*args, 10)):
                found.append(name)
            return made

        monkeypatch.setattr(runs, name, call)

    for name in ("append", "prepend", "check"):
        noted(name)
    return found


def test_new_events_come_before_late_ones_and_old_ones_last(done: list[str]) -> None:
    plans.fill(factories.issue()[0], 35, newest=OLD)
    worker = Indexer()
    while worker.step():
        if done == ["append"]:
            Event.objects.filter(event_id="many-30").delete()
    assert done == ["append", "check", "prepend", "prepend", "prepend"]
    assert SearchRun.objects.order_by("first")[0].first == runs.FIRST


def test_every_run_is_checked_in_the_end(done: list[str]) -> None:
    plans.fill(factories.issue()[0], 300, newest=OLD)
    worker = Indexer()
    while worker.step():
        pass
    Event.objects.filter(event_id="many-1").delete()
    for _ in range(SearchRun.objects.count() // indexer.OTHERS + 1):
        worker.step()
    assert done[-1] == "check"
    assert not any(map(runs.check, SearchRun.objects.all()))


def test_suspects_are_checked_first(done: list[str]) -> None:
    plans.fill(factories.issue()[0], 300, newest=OLD)
    while Indexer().step():
        pass
    late = Event.objects.get(event_id="many-200")
    Event.objects.filter(pk=late.pk).delete()
    worker = Indexer()
    worker._checked = runs.LAST
    runs.suspect([late.pk])
    assert worker.step()
    assert not SearchRun.objects.filter(is_suspect=True).exists()


def test_run_whose_check_fails_keeps_neither_the_others_nor_old_events_waiting(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans.fill(factories.issue()[0], 35, newest=OLD)
    assert Indexer().step()
    run = SearchRun.objects.get()
    runs.suspect([run.first])
    check = runs.check

    def slow(one: SearchRun) -> bool:
        if one.pk == run.pk:
            raise DatabaseError("canceling statement due to statement timeout")
        return check(one)

    monkeypatch.setattr(runs, "check", slow)
    worker = Indexer()
    for _ in range(8):
        worker.turn()
    assert SearchRun.objects.order_by("first")[0].first == runs.FIRST
    assert done == ["append", "prepend", "prepend", "prepend"]
    assert SearchRun.objects.get(is_suspect=True) == run
    worker._put_off.clear()
    monkeypatch.setattr(runs, "check", check)
    worker.step()
    assert not SearchRun.objects.filter(is_suspect=True).exists()


def test_turn_with_nothing_to_do_rests_and_so_does_one_beside_another_process(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(Indexer, "step", lambda self: steps.append(1))
    worker = Indexer()
    for _ in range(3):
        worker.turn()
    assert len(steps) == 1
    worker = Indexer()
    with alone(Path(settings.VAR_DIR) / "locks" / "search.lock"):
        worker.turn()
    worker.turn()
    assert len(steps) == 1


def test_process_that_has_just_added_a_run_does_not_rest(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plans.fill(factories.issue()[0], 15, newest=OLD)
    worker = Indexer()
    worker.turn()
    assert done == ["append"]
    steps: list[int] = []
    monkeypatch.setattr(Indexer, "step", lambda self: steps.append(1))
    for _ in range(3):
        worker.turn()
    assert len(steps) == 3
    worker._busy_until = 0.0
    for _ in range(3):
        worker.turn()
    assert len(steps) == 4


def test_failure_is_logged_once_and_the_next_turn_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Exception | None] = [DatabaseError("no"), DatabaseError("no"), IntegrityError("made"), None]

    def step(self: Indexer) -> bool:
        if (answer := answers.pop(0)) is not None:
            raise answer
        return True

    monkeypatch.setattr(Indexer, "step", step)
    worker = Indexer()
    for _ in range(4):
        worker.turn()
    assert answers == []
    assert [record.getMessage() for record in caplog.records] == ["the search index cannot be written"]
