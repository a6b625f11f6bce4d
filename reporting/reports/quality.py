"""How good events are: how many lack what reports need, by the name of the event. Every event of the range is counted.

The console's page of a partner shows shares of a sample instead, at any size of the table
(`reporting.senders.quality`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from django.db.models import Count, Q, Value
from django.db.models.functions import Left
from django.db.models.lookups import Exact

from collect.intake.contract import STANDARD_EVENTS
from reporting.reports import reported
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import Question
from reporting.reports.registry import Report
from reporting.views import columns

# Names that are shown, the most frequent first, and names near a standard one.
MOST_NAMES = 200
OTHERS = "(other names)"
_NEAR = 0.85
_SEPARATORS = re.compile(r"[\W_]+")

_OF_NAME = Column("event_name", Kind.TEXT, "The name of the events, as it was sent.")
_EVENTS = Column("events", Kind.COUNT, "Events that happened (timestamp) in the range.")
# What is counted of each name: a sentence and a condition.
MEASURES: Mapping[str, tuple[str, Q]] = {
    "no_event_id": ("Events without event_id: sent twice, they are stored and counted twice.", Q(event_id=None)),
    "no_actor": ("Events with neither client_id nor session_id: no funnel can follow them.", reported.NO_ACTOR),
    "no_tag": (
        "Events whose tag begins with site:, as the server derives one where none was sent.",
        Q(Exact(Left("tag_id", 5), Value("site:"))),
    ),
    "value_issues": (
        "Events whose params.value is added up nowhere; the table value_issues says why.",
        Q(value_issue__isnull=False),
    ),
    "bots": ("Events whose user agent is a bot's; they are counted like all others.", Q(ua_is_bot=True)),
    "no_country": ("Events of no known country: the address was unknown, or is of none.", Q(geo_country=None)),
}
_WHY = {
    columns.NOT_A_NUMBER: "params.value is no number",
    columns.OUT_OF_RANGE: f"params.value is {columns.VALUE_LIMIT:,} or more, whatever its sign",
    columns.NO_CURRENCY: "params.value stands without params.currency",
    columns.UNKNOWN_CURRENCY: "params.currency is no code of ISO 4217",
}


@dataclass(slots=True)
class Counts:
    """How many events there are of some names, and how many of them lack what."""

    events: int = 0
    of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))

    def add(self, other: "Counts") -> None:
        """Add what was counted of other names."""
        self.events += other.events
        for name, number in other.of.items():
            self.of[name] += number


@dataclass(slots=True)
class Quality:
    """The counts of the most frequent names, of all others, and of all; names near a standard one."""

    by_name: dict[str, Counts] = field(default_factory=dict)
    others: Counts = field(default_factory=Counts)
    all: Counts = field(default_factory=Counts)
    names_left_out: int = 0
    near: list[tuple[str, str, int]] = field(default_factory=list)

    def add(self, name: str, counts: Counts) -> None:
        """Add what was counted of a name. The names come in the order of their events, most first."""
        self.all.add(counts)
        if len(self.by_name) < MOST_NAMES:
            self.by_name[name] = counts
        else:
            self.others.add(counts)
            self.names_left_out += 1
        if (standard := near_standard(name)) and len(self.near) < MOST_NAMES:
            self.near.append((name, standard, counts.events))


def quality(question: Question) -> Quality:
    """Return what is counted of the events of the range. The database reads them once."""
    found = Quality()
    wanted = {name: Count("id", filter=condition) for name, (_, condition) in MEASURES.items()}
    rows = reported.events(question).values("event_name").annotate(events=Count("id"), **wanted)
    for row in reported.stream(rows.order_by("-events", "event_name")):
        found.add(row["event_name"], Counts(row["events"], {name: row[name] for name in MEASURES}))
    return found


def issues(question: Question) -> Iterator[tuple[str, str | None, int]]:
    """Yield the most frequent names with an issue of their values, the issue, and how many; then all the rest."""
    rows = reported.events(question).exclude(value_issue=None).values_list("event_name", "value_issue")
    rest = 0
    counted = rows.annotate(number=Count("id")).order_by("-number", "event_name", "value_issue")
    for place, (name, issue, number) in enumerate(reported.stream(counted)):
        if place < MOST_NAMES:
            yield name, issue, number
        else:
            rest += number
    if rest:
        yield OTHERS, None, rest


def near_standard(name: str) -> str | None:
    """Return the standard name that one with other case, separators or a slip was probably meant to be, if any."""
    if name in STANDARD_EVENTS:
        return None
    folded = {_folded(standard): standard for standard in STANDARD_EVENTS}
    found = get_close_matches(_folded(name), folded, 1, _NEAR)
    return folded[found[0]] if found else None


def _folded(name: str) -> str:
    return _SEPARATORS.sub("", name.casefold())


# --- the answer ---


def answer(question: Question) -> Answer:
    """Return the counts by name, of all, the values that are none, and the names that look like slips."""
    found = quality(question)
    values = [(name, issue, _WHY.get(issue or ""), number) for name, issue, number in issues(question)]
    measured = [Column(name, Kind.COUNT, sentence) for name, (sentence, _) in MEASURES.items()]
    return Answer(
        "quality",
        REPORT.title,
        question.stated(),
        (
            Table("names", "By event name", (_OF_NAME, _EVENTS, *measured), [*_by_name(found)], [*_left_out(found)]),
            Table("all", "All events", _OF_ALL, [*_all(found)]),
            Table("value_issues", "Values that are added up nowhere", _OF_VALUES, values),
            Table("near_names", "Names that are nearly standard ones", _OF_NEAR, found.near),
        ),
        [
            "All events of the range are counted here. The page of a partner in the console shows shares of a sample, "
            "and which fields vanished when."
        ],
    )


_OF_ALL = (
    Column("what", Kind.TEXT, "What is counted, as the columns above have it."),
    Column("events", Kind.COUNT, "Events of all names of which it is true."),
    Column("share", Kind.SHARE, "Their part of all events."),
)
_OF_VALUES = (
    _OF_NAME,
    Column("issue", Kind.TEXT, "value_issue, as the views have it."),
    Column("why", Kind.TEXT, "The same in words."),
    Column("events", Kind.COUNT, "Events with this issue."),
)
_OF_NEAR = (
    Column("event_name", Kind.TEXT, "A name that is not of the taxonomy: its category is custom."),
    Column("standard", Kind.TEXT, "The standard name that may have been meant."),
    Column("events", Kind.COUNT, "Events of this name."),
)


def _by_name(found: Quality) -> Iterator[tuple[Any, ...]]:
    for name, counts in found.by_name.items():
        yield name, counts.events, *counts.of.values()
    if found.names_left_out:
        yield OTHERS, found.others.events, *found.others.of.values()


def _left_out(found: Quality) -> Iterator[str]:
    if found.names_left_out:
        yield f"{found.names_left_out:,} names that are less frequent stand together as {OTHERS}."


def _all(found: Quality) -> Iterator[tuple[Any, ...]]:
    total = found.all.events
    for name, number in {"events": total, **found.all.of}.items():
        yield name, number, number / total if total else None


REPORT = Report(
    "quality",
    "Quality of events",
    "How many events lack an id, a person, a tag, a country or a value that counts, and which names look like slips.",
    answer,
)
