"""Asks for the answer of a report that takes longer than a page may: an answer that is there, or a run that brings it.

An answer is fresh for ten minutes. After that it is still shown, with its moment, while a new one is counted: what came
late, or was corrected, must not wait for somebody to think of it.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from reporting.models import ReportRun
from reporting.reports.question import Question
from reporting.runs import encoding

State = ReportRun.State

FRESH = timedelta(minutes=10)
# How long a run is kept, and how many of them.
KEPT, MOST = timedelta(days=1), 300
# How many may wait at a time.
MOST_OPEN = 50


class TooMany(Exception):  # noqa: N818  # said to a person, who made no error of ours
    """So many questions wait that no more is taken."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a question is: its newest run, and the newest run of it that has an answer, which may be the same."""

    newest: ReportRun
    answered: ReportRun | None

    @property
    def is_open(self) -> bool:
        """Whether the newest run has still to bring its answer."""
        return self.newest.state in ReportRun.OPEN


def look(name: str, question: Question, now: datetime | None = None) -> Standing:
    """Return how far the question is, and have it counted if it has no fresh answer.

    The question has all of its options (`registry.completed`). Raises `TooMany`.
    """
    now = now or datetime.now(UTC)
    text, digest = _key(name, question)
    newest = _newest(digest)
    if newest is None or _is_stale(newest, now):
        newest = _create(name, text, digest, now)
    return Standing(newest, _newest(digest, State.DONE))


def again(name: str, question: Question, now: datetime | None = None) -> None:
    """Have the question counted anew, however fresh its answer is, unless that is under way. Raises `TooMany`."""
    text, digest = _key(name, question)
    newest = _newest(digest)
    if newest is None or newest.state not in ReportRun.OPEN:
        _create(name, text, digest, now or datetime.now(UTC))


def open_run(name: str, question: Question) -> ReportRun | None:
    """Return the run that has still to bring the answer to just this question, if there is one."""
    _, digest = _key(name, question)
    return ReportRun.objects.filter(digest=digest, state__in=ReportRun.OPEN).defer("answer").first()


def answered(name: str, question: Question, id: int) -> ReportRun | None:
    """Return the run of this id if it has an answer to just this question."""
    _, digest = _key(name, question)
    return ReportRun.objects.filter(pk=id, digest=digest, state=State.DONE).first()


def forget(now: datetime | None = None) -> int:
    """Delete runs that are over and were kept long enough, or are too many; return how many."""
    now = now or datetime.now(UTC)
    over = ReportRun.objects.exclude(state__in=ReportRun.OPEN)
    old = Q(asked_at__lt=now - KEPT)
    if (last := over.order_by("-pk").values_list("pk", flat=True)[MOST : MOST + 1].first()) is not None:
        old |= Q(pk__lte=last)
    return over.filter(old).delete()[0]


def _key(name: str, question: Question) -> tuple[str, str]:
    text = encoding.question_text(question)
    return text, hashlib.sha256(f"{name} {text}".encode()).hexdigest()


def _newest(digest: str, state: str | None = None) -> ReportRun | None:
    found = ReportRun.objects.filter(digest=digest).order_by("-pk")
    return (found.filter(state=state) if state else found.defer("answer")).first()


def _is_stale(run: ReportRun, now: datetime) -> bool:
    return run.finished_at is not None and run.finished_at < now - FRESH


def _create(name: str, text: str, digest: str, now: datetime) -> ReportRun:
    """Have the question counted; return the run that somebody else has begun in this moment, if so."""
    if ReportRun.objects.filter(state__in=ReportRun.OPEN).count() >= MOST_OPEN:
        raise TooMany(f"{MOST_OPEN} questions wait to be answered; ask again when some of them are")
    try:
        with transaction.atomic():
            return ReportRun.objects.create(report=name, question=text, digest=digest, asked_at=now)
    except IntegrityError:
        return ReportRun.objects.get(digest=digest, state__in=ReportRun.OPEN)
