"""How late events arrive: the time from `timestamp`, which the sender says, to `received_at`, which the server does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, DurationField, ExpressionWrapper, F, Max, Min, Q, Value, When

from reporting.reports import reported
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import Question
from reporting.reports.registry import Report

_ZERO, _EARLY = timedelta(), timedelta(seconds=-60)
# An event is of the first class that it fits in. Clocks differ by seconds, so that a few of them are not early.
CLASSES = (
    ("no time sent", "timestamp is received_at itself, as when the sender has sent none"),
    ("before its time", "timestamp is more than 60 s later than received_at: the sender's clock is ahead"),
    ("within a minute", "up to 60 s later than timestamp, or up to 60 s before it"),
    ("within an hour", "later than that, up to 1 h"),
    ("within a day", "later than that, up to 24 h"),
    ("within a week", "later than that, up to 7 days"),
    ("later", "more than 7 days later"),
)
_NO_TIME, _BEFORE, *_WITHIN, _LATER = (name for name, _ in CLASSES)
_LENGTHS = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7))

_COUNTED = (
    Column(
        "class",
        Kind.TEXT,
        " ".join(("How long after its timestamp an event was received.", *(f"{of}: {said}." for of, said in CLASSES))),
    ),
    Column("events", Kind.COUNT, "Events of the class that happened (timestamp) in the range."),
    Column("share", Kind.SHARE, "Their part of all events of the row's partner in the range."),
    Column(
        "longest_seconds",
        Kind.COUNT,
        "The longest time between timestamp and received_at in the class, in whole seconds; unknown without events.",
    ),
)
_PARTNER = Column("partner", Kind.TEXT, "Whose events they are.")


@dataclass(frozen=True, slots=True)
class Lateness:
    """How many events of a partner are of a class, and the longest of their times."""

    partner: str
    name: str
    events: int
    longest: timedelta


def lateness(question: Question) -> list[Lateness]:
    """Return what there is of each partner and class. The database reads the events of the range once."""
    age = ExpressionWrapper(F("received_at") - F("timestamp"), output_field=DurationField())
    within = [When(age__lte=length, then=Value(name)) for length, name in zip(_LENGTHS, _WITHIN, strict=True)]
    of_class = Case(
        When(age=_ZERO, then=Value(_NO_TIME)),
        When(age__lt=_EARLY, then=Value(_BEFORE)),
        *within,
        default=Value(_LATER),
    )
    found = (
        reported.events(question)
        .annotate(age=age)
        .annotate(of_class=of_class)
        .values_list("partner", "of_class")
        .annotate(Count("id"), Max("age"), Min("age"))
        .order_by("partner", "of_class")
    )
    return [Lateness(partner, name, number, max(most, -least)) for partner, name, number, most, least in found]


def _rows(found: Sequence[Lateness]) -> list[tuple[Any, ...]]:
    total = sum(one.events for one in found)
    rows: list[tuple[Any, ...]] = []
    for name, _ in CLASSES:
        of_class = [one for one in found if one.name == name]
        number = sum(one.events for one in of_class)
        longest = max((one.longest for one in of_class), default=None)
        seconds = None if longest is None else longest // timedelta(seconds=1)
        rows.append((name, number, number / total if total else None, seconds))
    return rows


def _by_partner(found: Sequence[Lateness]) -> Iterable[tuple[Any, ...]]:
    for partner in sorted({one.partner for one in found}):
        for row in _rows([one for one in found if one.partner == partner]):
            yield partner, *row


def _outside(question: Question) -> Table:
    """Return how many events came in the range and happened, as their senders say, at another time."""
    over = question.over
    received = reported.of_partner(question).filter(received_at__gte=over.start, received_at__lt=over.end)
    before, after = received.aggregate(
        before=Count("id", filter=Q(timestamp__lt=over.start)), after=Count("id", filter=Q(timestamp__gte=over.end))
    ).values()
    return Table(
        "outside",
        "Received in the range, and of another time",
        (
            Column("timestamp", Kind.TEXT, "Where the event's own time lies."),
            Column(
                "events", Kind.COUNT, "Events received in the range that happened outside of it; not counted above."
            ),
        ),
        (("before the range", before), ("after its end", after)),
    )


def answer(question: Question) -> Answer:
    """Return the classes of all events and of each partner's, and what the range leaves out."""
    found = lateness(question)
    return Answer(
        "late",
        REPORT.title,
        question.stated() | {"lateness": "received_at minus timestamp"},
        (
            Table("late", "All events", _COUNTED, _rows(found)),
            Table("partners", "By partner", (_PARTNER, *_COUNTED), list(_by_partner(found))),
            _outside(question),
        ),
    )


REPORT = Report(
    "late",
    "How late events arrive",
    "How long after they happened events arrive, and which arrive before: by partner, in classes from a minute to a "
    "week.",
    answer,
)
