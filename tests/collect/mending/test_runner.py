"""The thread that does mends: one process a machine, patient with a database that is away."""

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django import Settings

from collect.backfills import walk
from collect.mending import mends, runner
from collect.mending.runner import Runner
from collect.models import Mend
from runtime import outage
from tests.collect.mending.incidents import OPERATIONS, operator, refuse
from tests.harness import factories
from tests.harness.databases import failure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(runner, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(walk, "SQLITE_PAUSE_SECONDS", 0.0)


@pytest.fixture
def first() -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()


def ask() -> Mend:
    return mends.preview(OPERATIONS, operator(), group=refuse(factories.key()[0], b'{"event": "a"}'))


def state(mend: Mend) -> str:
    mend.refresh_from_db()
    return mend.state


def test_turn_does_all_that_is_open(first: Runner) -> None:
    asked = [ask() for _ in range(12)]
    first.turn()
    assert [state(mend) for mend in asked] == [Mend.State.DONE] * 12
    first.turn()


def test_another_process_looks_on_until_the_first_is_gone(first: Runner) -> None:
    first.turn()
    second, mend = Runner(), ask()
    second.turn()
    assert state(mend) == Mend.State.WAITING
    first.close()
    second.turn()
    second.close()
    assert state(mend) == Mend.State.DONE


def test_without_a_place_for_the_lock_rows_are_locked_all_the_same(first: Runner, settings: Settings) -> None:
    settings.VAR_DIR = Path(__file__)
    mend = ask()
    first.turn()
    assert state(mend) == Mend.State.DONE


def test_database_that_is_away_is_told_once_and_waited_for(
    first: Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mend = ask()

    def away(_id: int) -> bool:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, runner.__name__):
        patched.setattr(mends, "advance", away)
        first.turn()
        first.turn()
    assert [record.getMessage() for record in caplog.records if record.name == runner.__name__] == [
        "mends have to wait"
    ]
    assert state(mend) == Mend.State.WAITING
    first.turn()
    assert state(mend) == Mend.State.DONE


def test_step_that_always_times_out_fails_its_mend_and_the_others_go_on(
    first: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other = ask(), ask()
    advance = mends.advance

    def timed_out(id: int) -> bool:
        if id == slow.pk:
            raise failure("57014", OperationalError, "canceling statement due to statement timeout")
        return advance(id)

    monkeypatch.setattr(mends, "advance", timed_out)
    for _ in range(runner.TRIES - 1):
        first.turn()
    assert state(slow) == Mend.State.WAITING
    first.turn()
    assert (state(slow), slow.fault) == (Mend.State.FAILED, "canceling statement due to statement timeout")
    assert slow.finished_at is not None
    assert state(other) == Mend.State.DONE


def test_step_that_timed_out_now_and_then_fails_no_mend(first: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step begins to count anew; here a mend has two of them."""
    mend = ask()
    advance, turns = mends.advance, count(1)

    def timed_out(id: int) -> bool:
        if next(turns) % runner.TRIES:
            raise failure("57014", OperationalError)
        return advance(id)

    monkeypatch.setattr(mends, "advance", timed_out)
    for _ in range(2 * runner.TRIES):
        first.turn()
    assert state(mend) == Mend.State.DONE


def test_known_outage_is_not_met_again(first: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mends, "open_mends", lambda: pytest.fail("the database was asked"))
    outage.database.open(OperationalError("gone"))
    first.turn()
