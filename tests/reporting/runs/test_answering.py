"""Questions that wait are answered one after another, whatever becomes of one of them or of the process."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from pytest_django import Settings

from reporting.models import ReportRun
from reporting.reports import late, registry
from reporting.reports.answer import Answer
from reporting.reports.question import BadQuestion, Question
from reporting.runs import answering, asking, encoding
from tests.harness import commands, factories
from tests.reporting.reports.stored import question, write

pytestmark = pytest.mark.django_db(transaction=True)

State = ReportRun.State
Replace = Callable[[Callable[[Question], Answer]], None]


@pytest.fixture
def of_late(monkeypatch: pytest.MonkeyPatch) -> Replace:
    """Replace what the report `late` does."""

    def replace(does: Callable[[Question], Answer]) -> None:
        fields = {"name": "late", "title": late.REPORT.title, "sentence": "", "answer": does}
        monkeypatch.setattr(late, "REPORT", registry.Report(**fields))  # type: ignore[arg-type]  # of all types

    return replace


def ask(*arguments: str, name: str = "late") -> ReportRun:
    return asking.look(name, registry.completed(name, question(*arguments))).newest


def now_of(run: ReportRun) -> ReportRun:
    run.refresh_from_db()
    return run


def test_answers_are_those_that_the_command_gives() -> None:
    key, _ = factories.issue()
    write(key, event_name="order_created", params={"value": 5})
    runs = [ask(name="late"), ask("order_created", name="params"), ask(name="quality"), ask(name="daily")]
    assert commands.run("answer_reports")[0] == "4 answered\n"
    for run in runs:
        assert now_of(run).state == State.DONE
        asked = encoding.question_of(run.question)
        found = encoding.answer_of(run.answer or "")
        assert encoding.answer_text(found) == encoding.answer_text(registry.ask(run.report, asked))
        assert run.started_at
        assert run.finished_at
        assert run.asked_at <= run.started_at <= run.finished_at
    assert answering.work() == 0


def test_questions_are_answered_in_their_order(of_late: Replace) -> None:
    seen: list[Any] = []
    of_late(lambda asked: seen.append(asked.over) or Answer("late", "", {}, ()))  # type: ignore[func-returns-value]  # appends
    for hours in (3, 1, 2):
        over = question().over
        asking.look("late", Question(type(over)(over.start, over.end + timedelta(hours=hours))))
    answering.work()
    assert [one.end - question().over.end for one in seen] == [timedelta(hours=hours) for hours in (3, 1, 2)]


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (BadQuestion("window: 'soon' is no time"), State.REFUSED, "window: 'soon' is no time"),
        (DatabaseError("disk full"), State.FAILED, "disk full"),
        (ZeroDivisionError("secret"), State.FAILED, "ZeroDivisionError: the server's log has more"),
    ],
)
def test_one_that_fails_has_its_reason_and_the_next_is_answered(
    of_late: Replace, error: Exception, state: str, told: str
) -> None:
    def fails(_question: Question) -> Answer:
        raise error

    of_late(fails)
    failed, next_one = ask(), ask(name="quality")
    answering.work()
    assert (now_of(failed).state, failed.error, failed.answer) == (state, told, None)
    assert failed.finished_at
    assert now_of(next_one).state == State.DONE


def test_answer_that_is_too_large_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "LARGEST", 10)
    run = ask()
    answering.work()
    assert (now_of(run).state, run.answer) == (State.FAILED, None)
    assert "manage.py report" in run.error


def test_run_of_a_process_that_died_is_taken_up_again_and_given_up_after_another() -> None:
    run = ask()
    died = ReportRun.objects.filter(pk=run.pk)
    now = datetime.now(UTC)
    died.update(state=State.RUNNING, attempts=1, alive_at=now)
    assert answering.open_runs() == []
    died.update(alive_at=now - answering.DEAD - timedelta(seconds=1))
    assert answering.work() == 1
    assert (now_of(run).state, run.attempts) == (State.DONE, 2)
    died.update(state=State.RUNNING, attempts=2, alive_at=now - answering.DEAD - timedelta(seconds=1))
    answering.work()
    assert now_of(run).state == State.FAILED
    assert "ended without a word" in run.error


def test_run_that_another_process_took_or_that_is_gone_is_left_alone(of_late: Replace) -> None:
    taken, gone = ask(), ask(name="quality")

    def loses(_question: Question) -> Answer:
        ReportRun.objects.filter(pk=taken.pk).update(attempts=7)
        ReportRun.objects.filter(pk=gone.pk).delete()
        return Answer("late", "", {}, ())

    of_late(loses)
    assert answering.work() == 1
    assert (now_of(taken).state, taken.answer) == (State.RUNNING, None)
    assert not answering._take(taken.pk)
    assert not answering._take(gone.pk)


def test_process_says_that_it_lives_and_ends_when_its_run_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "BEAT_SECONDS", 0.01)
    run = ask()
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    ReportRun.objects.filter(pk=run.pk).update(state=State.RUNNING, alive_at=long_ago, attempts=1)
    run = now_of(run)
    done, left = threading.Event(), threading.Event()

    def leave(_status: int) -> None:
        left.set()
        done.set()

    thread = threading.Thread(target=answering._beat, args=(run, done, time.monotonic(), leave))
    thread.start()
    for _ in range(500):
        if now_of(run).alive_at != long_ago:
            break
        time.sleep(0.01)
    assert run.alive_at
    assert run.alive_at > long_ago
    assert not left.is_set()
    ReportRun.objects.all().delete()
    assert left.wait(5)
    thread.join(5)


def test_run_that_takes_too_long_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "BEAT_SECONDS", 0.01)
    run = ask()
    ReportRun.objects.filter(pk=run.pk).update(state=State.RUNNING, alive_at=datetime.now(UTC), attempts=1)
    run, done = now_of(run), threading.Event()
    began = time.monotonic() - answering.LONGEST.total_seconds() - 1
    thread = threading.Thread(target=answering._beat, args=(run, done, began, lambda _status: done.set()))
    thread.start()
    thread.join(5)
    assert (now_of(run).state, run.error) == (State.FAILED, "it took longer than 1:00:00")


@pytest.mark.postgresql
def test_all_of_an_answer_is_of_one_moment_and_its_statements_may_take_long(
    of_late: Replace, settings: Settings
) -> None:
    settings.STATEMENT_SECONDS = 0  # as a command has it
    found = {}

    def looks(_question: Question) -> Answer:
        with connection.cursor() as cursor:
            for setting in ("transaction_isolation", "statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SHOW {setting}")
                (found[setting],) = cursor.fetchone()
        return Answer("late", "", {}, ())

    of_late(looks)
    ask()
    answering.work()
    assert found["transaction_isolation"] == "repeatable read"
    assert found["statement_timeout"] in ("20min", "0")
    assert found["idle_in_transaction_session_timeout"] == "0"
