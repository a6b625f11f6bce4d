"""The background thread and the lock of one process, for real."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import DatabaseError, OperationalError, connection

from runtime.periodic import Busy, Periodic, alone
from tests.harness.server import ROOT
from tests.harness.waiting import eventually

NAME = "tests-periodic"


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


class Turns:
    """A count of turns, each of which fails with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.taken = 0
        self.error = error

    def __call__(self) -> None:
        self.taken += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def start() -> Iterator[Callable[..., Periodic]]:
    made: list[Periodic] = []

    def start(
        turn: Callable[[], object], seconds: float = 0.02, delay: float = 0.0, *, keeps_connections: bool = False
    ) -> Periodic:
        made.append(Periodic(NAME, turn, seconds, delay, keeps_connections=keeps_connections))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()


def test_thread_is_one_however_often_it_is_started(start: Callable[..., Periodic]) -> None:
    thread = start(Turns())
    for _ in range(5):
        thread.start()
    assert len(running()) == 1
    thread.stop()
    thread.stop()
    assert running() == []
    thread.start()
    assert len(running()) == 1


def test_stop_without_start_is_nothing() -> None:
    Periodic(NAME, Turns(), 1.0).stop()


@pytest.mark.parametrize("error", [OperationalError("away"), RuntimeError("a fault of ours")])
def test_thread_survives_any_failure_of_a_turn(
    start: Callable[..., Periodic], caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    turns = Turns(error)
    start(turns)
    assert eventually(lambda: turns.taken >= 3)
    assert len(running()) == 1
    assert f"a turn of {NAME} failed" in caplog.text


def test_thread_waits_before_and_between_turns(start: Callable[..., Periodic]) -> None:
    turns, delayed = Turns(), Turns()
    thread, other = start(turns, seconds=60.0), start(delayed, seconds=60.0, delay=60.0)
    assert eventually(lambda: turns.taken == 1)
    thread.stop()
    other.stop()
    assert (turns.taken, delayed.taken) == (1, 0)


class Connected:
    """A count of the connections that turns have found open, and those that they have opened; one turn fails."""

    def __init__(self, fails_in: int) -> None:
        self.found = self.opened = 0
        self._fails_in = fails_in

    def __call__(self) -> None:
        if connection.connection is None:
            self.opened += 1
        else:
            self.found += 1
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("nonsense" if self.found + self.opened == self._fails_in else "SELECT 1")


@pytest.mark.django_db(transaction=True)
def test_connection_is_kept_from_turn_to_turn_unless_it_failed(start: Callable[..., Periodic]) -> None:
    turns = Connected(fails_in=3)
    start(turns, keeps_connections=True)
    assert eventually(lambda: turns.found >= 10)
    # The first one, and the one behind the turn that failed.
    assert turns.opened == 2


@pytest.mark.django_db(transaction=True)
def test_connection_is_closed_after_a_turn_of_a_thread_that_rests_for_long(start: Callable[..., Periodic]) -> None:
    turns = Connected(fails_in=-1)
    start(turns)
    assert eventually(lambda: turns.opened >= 3)
    assert turns.found == 0


def test_lock_is_one_caller_s_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path / "lock"), pytest.raises(Busy), alone(tmp_path / "lock"):
        pass
    with alone(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").stat().st_mode & 0o077 == 0


def test_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = "import sys, pathlib; from runtime.periodic import alone\n"
    script += "with alone(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy), alone(path):
            pass
        holder.kill()
    with alone(path):
        pass


def test_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), alone(tmp_path / "file" / "lock"):
        pass
