"""Answers the questions that wait, one after another, in a process that does nothing else.

A process that dies leaves a run that is not alive any more, which the next one takes up again. A run that has taken
several processes with it has failed: it may need more memory than there is.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import Error, connection
from django.db.models import F, Q, QuerySet

from reporting.models import ReportRun
from reporting.reports import registry
from reporting.reports.question import BadQuestion
from reporting.runs import encoding
from reporting.snapshot import snapshot
from runtime import failures

logger = logging.getLogger(__name__)
State = ReportRun.State

# How often the process says that it lives, and after what time without it another one takes the run.
BEAT_SECONDS, DEAD = 5.0, timedelta(seconds=30)
ATTEMPTS = 2
# How long a statement may take, and a run.
STATEMENT_SECONDS, LONGEST = 1_200, timedelta(hours=1)
# An answer that is longer is for `manage.py report`, which keeps none.
LARGEST = 16 * 1024 * 1024


def open_runs(now: datetime | None = None) -> list[int]:
    """Return the ids of the runs that nobody counts."""
    return list(_free(now or datetime.now(UTC)).order_by("pk").values_list("pk", flat=True))


def _free(now: datetime) -> "QuerySet[ReportRun]":
    """Return the runs that nobody counts: those that wait, and those whose process has died."""
    return ReportRun.objects.filter(Q(state=State.WAITING) | Q(state=State.RUNNING, alive_at__lt=now - DEAD))


def work() -> int:
    """Answer until nothing waits, and return how many questions were. Raises `django.db.Error`."""
    answered = 0
    while ids := open_runs():
        for id in ids:
            answered += _take(id)
    return answered


def _take(id: int) -> bool:
    """Answer the question of a run, unless another process has taken it in this moment."""
    now = datetime.now(UTC)
    mine = _free(now).filter(pk=id)
    if not mine.update(state=State.RUNNING, started_at=now, alive_at=now, attempts=F("attempts") + 1):
        return False
    run = ReportRun.objects.get(pk=id)
    if run.attempts > ATTEMPTS:
        _end(run, State.FAILED, error="the process that counted it ended without a word, and so did the one after it")
        return True
    with _alive(run):
        _answer(run)
    return True


def _answer(run: ReportRun) -> None:
    """Write the answer, or why there is none. Every exception is caught here, because none may end the others' turn."""
    try:
        with _one_reading():
            answer = registry.ask(run.report, encoding.question_of(run.question))
        text = encoding.answer_text(answer)
    except BadQuestion as error:
        _end(run, State.REFUSED, error=str(error))
    except Error as error:
        connection.close()
        logger.warning("a report failed", extra={"report": run.report, "reason": failures.reason(error)})
        _end(run, State.FAILED, error=_in_words(error))
    except Exception as error:
        logger.exception("a report failed")
        _end(run, State.FAILED, error=f"{type(error).__name__}: the server's log has more")
    else:
        if len(text) > LARGEST:
            _end(run, State.FAILED, error="the answer has more than 16 MiB: ask for less, or `manage.py report`")
        else:
            _end(run, State.DONE, answer=text)


@contextmanager
def _one_reading() -> Iterator[None]:
    """Let statements see all the same moment, and take long, but not for ever. On SQLite nothing bounds them."""
    with snapshot():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Here, since a command of `manage.py` has no bound.
                cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        yield


def _end(run: ReportRun, state: str, **fields: Any) -> None:
    """Write how it ended. If the run is gone, or another process has it by now, nothing is written."""
    mine = ReportRun.objects.filter(pk=run.pk, state=State.RUNNING, attempts=run.attempts)
    mine.update(state=state, finished_at=datetime.now(UTC), **fields)


def _in_words(error: Error) -> str:
    if failures.is_timed_out(error):
        return f"the database took longer than {STATEMENT_SECONDS // 60} minutes: ask for a shorter time"
    return failures.reason(error)


@contextmanager
def _alive(run: ReportRun) -> Iterator[None]:
    """Say again and again that the run is alive, from a thread. End the process if it takes too long or is gone."""
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(run, done, time.monotonic()), name="alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _beat(run: ReportRun, done: threading.Event, began: float, leave: Callable[[int], Any] = os._exit) -> None:
    while not done.wait(BEAT_SECONDS):
        try:
            if time.monotonic() - began > LONGEST.total_seconds():
                _end(run, State.FAILED, error=f"it took longer than {LONGEST}")
            mine = ReportRun.objects.filter(pk=run.pk, state=State.RUNNING, attempts=run.attempts)
            if not mine.update(alive_at=datetime.now(UTC)) and not done.is_set():
                leave(0)
        except Error:
            # It is taken for dead if the database does not come back, and taken up again.
            connection.close()
    connection.close()
