"""The thread has questions answered by a process that is started when one waits, and ends with the thread's."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django import Settings

from reporting.models import ReportRun
from reporting.reports import registry
from reporting.runs import answering, asking, thread
from reporting.runs.thread import Turns
from runtime import outage
from tests.harness.databases import failure
from tests.reporting.reports.stored import question

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, settings: Settings) -> None:
    settings.VAR_DIR = tmp_path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sources of Python; each process that is started runs the next of them, and what was run is taken out."""
    sources: list[str] = []

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", sources.pop(0)], stdin=subprocess.PIPE)

    monkeypatch.setattr(thread, "start", start)
    return sources


@pytest.fixture
def turns() -> Iterator[Turns]:
    made = Turns()
    yield made
    made.close()


def ask() -> ReportRun:
    return asking.look("late", registry.completed("late", question())).newest


def ended(turns: Turns) -> None:
    assert turns._process
    turns._process.wait(10)


def test_process_is_started_when_a_question_waits_and_one_at_a_time(turns: Turns, started: list[str]) -> None:
    started += ["import sys; sys.stdin.read()", "pass"]
    turns.turn()
    assert len(started) == 2
    ask()
    turns.turn()
    turns.turn()
    assert len(started) == 1
    assert turns._process
    assert turns._process.stdin
    turns._process.stdin.close()
    turns._process.stdin = None
    ended(turns)
    turns.turn()
    assert started == []


def test_after_a_process_that_failed_it_rests(
    turns: Turns, started: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started += ["raise SystemExit(3)", "pass"]
    ask()
    turns.turn()
    ended(turns)
    with caplog.at_level(logging.WARNING, thread.__name__):
        turns.turn()
    assert [record.getMessage() for record in caplog.records] == ["the process of reports ended"]
    assert len(started) == 1
    monkeypatch.setattr(turns, "_rests_until", 0.0)
    turns.turn()
    assert started == []


def test_another_process_of_the_machine_looks_on(turns: Turns, started: list[str]) -> None:
    started += ["pass"]
    turns.turn()
    ask()
    second = Turns()
    second.turn()
    assert len(started) == 1
    second.close()


def test_database_that_is_away_is_told_once_and_waited_for(
    turns: Turns, started: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started += ["pass"]
    ask()

    def away() -> list[int]:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, thread.__name__):
        patched.setattr(answering, "open_runs", away)
        turns.turn()
        turns.turn()
    assert [record.getMessage() for record in caplog.records] == ["reports have to wait"]
    outage.database.open(failure("08006"))
    turns.turn()
    assert len(started) == 1
    outage.database.close()
    turns.turn()
    assert started == []
