"""How good a partner's events are: what share of them has an id, a click, a currency; and which fields vanished.

Nothing here reads all events of a range. `sample` takes the first ones of equal parts of it, by the index on partner
and time, and the rest are pure functions over what it found.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    JSONField,
    Q,
    QuerySet,
    When,
)
from django.db.models.lookups import LessThan

from collect.models import Event
from reporting.ranges import Range
from reporting.senders.clocks import Sample

# So many parts of a range are looked at, and so many events of each.
PARTS, EVENTS_OF_A_PART = 40, 50
COLUMNS = ("event_id", "click_id", "session_id", "client_id", "page_url", "referrer", "user_agent", "consent")
# Larger `params` are not read: two thousand of a MiB each would fill the memory.
LARGEST_PARAMS = 8_192
# Names of events that are shown, and fields that are followed through time, the most frequent first.
SHOWN_NAMES, FOLLOWED_FIELDS = 12, 60


@dataclass(frozen=True, slots=True)
class Seen:
    """A sampled event: when it was received and happened, its name, and the fields that it has a value in."""

    received_at: datetime
    timestamp: datetime
    name: str
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sampled:
    """The sampled events of a range, oldest first. `is_all` says that the range has no others."""

    events: tuple[Seen, ...]
    is_all: bool

    @property
    def clock(self) -> list[Sample]:
        """The samples for the clock doctor."""
        return [Sample(seen.received_at.timestamp(), seen.timestamp.timestamp()) for seen in self.events]


class _Size(Func):
    """The bytes that a JSON document takes as text. What PostgreSQL stores of it may be a hundredth of that."""

    template = "octet_length(%(expressions)s::text)"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Return SQLite's name for it."""
        return self.as_sql(compiler, connection, template="length(%(expressions)s)", **extra)


def sample(partner_id: int, period: Range, parts: int = PARTS) -> Sampled:
    """Return up to 50 live events of each part of the period. Test events and imported ones are left out."""
    width, found, is_all = period.length / parts, [], True
    events = _read(partner_id)
    for n in range(parts):
        start = period.start + width * n
        # Filtered here and not there: a part with nothing but test events would be read from end to end.
        part = list(events.filter(received_at__gte=start, received_at__lt=start + width)[:EVENTS_OF_A_PART])
        is_all = is_all and len(part) < EVENTS_OF_A_PART
        found += [_seen(row) for row in part if not row["is_test"] and row["api_key_id"] and row["small"] is not None]
    return Sampled(tuple(found), is_all)


def _read(partner_id: int) -> QuerySet[Event, dict[str, Any]]:
    """Return the events with what is looked at: of texts, which may be long, only whether they are there."""
    small = Case(When(LessThan(_Size("params"), LARGEST_PARAMS), then=F("params")), output_field=JSONField())
    there = {f"has_{name}": ExpressionWrapper(Q(**{f"{name}__isnull": False}), BooleanField()) for name in COLUMNS}
    events = Event.objects.filter(partner=partner_id).order_by("received_at").annotate(small=small, **there)
    found: QuerySet[Event, dict[str, Any]] = events.values(
        "received_at", "timestamp", "event_name", "is_test", "api_key_id", "small", *there
    )
    return found


def _seen(row: dict[str, Any]) -> Seen:
    fields = [name for name in COLUMNS if row[f"has_{name}"]]
    fields += [f"params.{name}" for name, value in row["small"].items() if value is not None]
    return Seen(row["received_at"], row["timestamp"], row["event_name"], frozenset(fields))


# --- shares ---

# What is counted of each event, and among which events.
MEASURES: dict[str, tuple[str, str | None]] = {
    "event id": ("event_id", None),
    "click id": ("click_id", None),
    "user agent": ("user_agent", None),
    "consent": ("consent", None),
    "currency beside value": ("params.currency", "params.value"),
}


@dataclass(frozen=True, slots=True)
class Quality:
    """The share of sampled events that has each of `MEASURES`; None where no event could have it."""

    name: str
    events: int
    shares: dict[str, float | None]


def shares(events: Sequence[Seen]) -> list[Quality]:
    """Return the quality of all sampled events, under an empty name, and then of the most frequent names."""
    by_name: dict[str, list[Seen]] = defaultdict(list)
    for seen in events:
        by_name[seen.name].append(seen)
    names = sorted(by_name, key=lambda name: (-len(by_name[name]), name))[:SHOWN_NAMES]
    return [_quality("", events), *(_quality(name, by_name[name]) for name in names)]


def _quality(name: str, events: Sequence[Seen]) -> Quality:
    found: dict[str, float | None] = {}
    for measure, (field, among) in MEASURES.items():
        asked = [seen for seen in events if among is None or among in seen.fields]
        found[measure] = sum(field in seen.fields for seen in asked) / len(asked) if asked else None
    return Quality(name, len(events), found)


# --- fields that vanished ---

# A field has vanished if its share fell by so much, with odds of chance of one in a million or less.
_LEAST_FALL, _LEAST_BEFORE, _LEAST_EVIDENCE = 0.5, 0.5, math.log(1e6)
# How often the time around a fall is sampled again, each time more closely.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Vanished:
    """A field of the events of a name that most had and then most had not.

    The change is after `last`, the last sampled event before it, and at or before `first`.
    """

    name: str
    field: str
    before: float
    after: float
    last: datetime
    first: datetime
    events_before: int
    events_after: int


def vanished(events: Sequence[Seen]) -> list[Vanished]:
    """Return the fields that vanished among these events, which are in the order of their arrival; newest first."""
    by_name: dict[str, list[Seen]] = defaultdict(list)
    for seen in events:
        by_name[seen.name].append(seen)
    found = [fall for name, of_name in by_name.items() for fall in _falls(name, of_name)]
    return sorted(found, key=lambda fall: (fall.first, fall.name, fall.field), reverse=True)


def _falls(name: str, events: Sequence[Seen]) -> Iterator[Vanished]:
    counts = Counter(field for seen in events for field in seen.fields)
    for field, _ in counts.most_common(FOLLOWED_FIELDS):
        has = [field in seen.fields for seen in events]
        if (place := _place(has, _LEAST_EVIDENCE)) is None:
            continue
        before, after = sum(has[:place]) / place, sum(has[place:]) / (len(has) - place)
        if before >= _LEAST_BEFORE and before - after >= _LEAST_FALL:
            last, first = events[place - 1].received_at, events[place].received_at
            yield Vanished(name, field, before, after, last, first, place, len(has) - place)


def _place(has: Sequence[bool], evidence: float) -> int | None:
    """Return the place before which one share explains the values best and after which another does.

    None where no two shares explain them so much better than one.
    """
    total, so_far, best, place = sum(has), 0, 0.0, None
    whole = _likelihood(total, len(has))
    for n in range(1, len(has)):
        so_far += has[n - 1]
        gain = _likelihood(so_far, n) + _likelihood(total - so_far, len(has) - n) - whole
        if gain > best:
            best, place = gain, n
    return place if best >= evidence else None


def _likelihood(hits: int, of: int) -> float:
    """Return the logarithm of how likely so many hits are with the share that makes them most likely."""
    return sum(part * math.log(part / of) for part in (hits, of - hits) if part)


def closer(fall: Vanished, read: Callable[[Range], Sampled]) -> Vanished:
    """Return the fall with the moments of the change found more closely: `read` samples the time around it.

    The shares stay those that were seen first, which are of the whole time.
    """
    for _ in range(_ROUNDS):
        margin = (fall.first - fall.last) / 2
        sampled = read(Range(fall.last - margin, fall.first + margin))
        events = [seen for seen in sampled.events if seen.name == fall.name]
        place = _place([fall.field in seen.fields for seen in events], 0.0)
        if place is None:
            break
        before = fall
        fall = replace(fall, last=events[place - 1].received_at, first=events[place].received_at)
        if sampled.is_all or fall == before:
            break
    return fall
