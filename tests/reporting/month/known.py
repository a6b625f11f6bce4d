"""The figures of the month, counted from its plan alone: whole numbers, and nothing of the program that is tested."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.reporting.month.plan import BEGIN, CONVERSIONS, DAY, HOUR, MINUTE, PARTNERS, Planned

QUARTER = 15 * MINUTE
# The last Sunday of October, one o'clock in UTC: Berlin has one hour less from then on.
CHANGE = 25 * DAY + HOUR
ZONES: dict[str, Callable[[int], int]] = {
    "UTC": lambda _: 0,
    "Europe/Berlin": lambda at: HOUR if at >= CHANGE else 2 * HOUR,
    "Asia/Kathmandu": lambda _: 5 * HOUR + 45 * MINUTE,
}
# An event is late by more than so many of these.
LATE = (MINUTE, HOUR, DAY, 7 * DAY)
# The dimensions of a day's counts, in this order.
DIMENSIONS = ("day", "partner", "tag_id", "event_name", "channel", "country", "browser", "currency", "value_issue")
OF_CONVERSIONS = ("partner", "event_name", "currency", "value_issue")

# The names of which the params are known: their keys have no objects and no arrays.
SHAPED = ("order_created", "items_added")

Pair = tuple[int, int | None]


def day_of(milliseconds: int) -> date:
    return (BEGIN + timedelta(milliseconds=milliseconds)).date()


def touch_of(event: Planned) -> tuple[str, tuple[str, int] | None] | None:
    """Return the kind of the touch that an event shows, and the ad's interaction if it names one; None of no touch."""
    click, view = event.click, event.impression
    kind = event.attribution
    if kind is None:
        kind = "click" if click is not None else "view" if view is not None else None
    if kind not in ("click", "view"):
        return None
    ids = [("click", click), ("view", view)]
    return kind, next(((of, id) for of, id in sorted(ids, key=lambda one: one[0] != kind) if id is not None), None)


class Sum:
    """How many there are, and what they are worth in ten-thousandths; None if none of them has a value."""

    __slots__ = ("events", "value_e4")

    def __init__(self) -> None:
        self.events = 0
        self.value_e4: int | None = None

    def add(self, events: int, value_e4: int | None) -> None:
        self.events += events
        if value_e4 is not None:
            self.value_e4 = (self.value_e4 or 0) + value_e4

    @property
    def pair(self) -> Pair:
        return self.events, self.value_e4


class Bits:
    """A set of small whole numbers, a bit each: of a day's distinct clients there may be many."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, number: int) -> None:
        if number >> 3 >= len(self._bytes):
            self._bytes.extend(bytes((number >> 3) + 1 - len(self._bytes)))
        self._bytes[number >> 3] |= 1 << (number & 7)

    def __len__(self) -> int:
        return int.from_bytes(self._bytes, "little").bit_count()


class Number(str):
    """A number of JSON as it is written."""

    __slots__ = ()


read = json.JSONDecoder(parse_float=Number, parse_int=Number).decode


class Key:
    """What the params of one name have under a key."""

    __slots__ = ("largest", "least", "longest", "types")

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()
        self.least: Decimal | None = None
        self.largest: Decimal | None = None
        self.longest: int | None = None

    def add(self, value: Number | str | None) -> None:
        if value is None:
            self.types["null"] += 1
        elif isinstance(value, Number):
            self.types["number"] += 1
            number = Decimal(value)
            self.least = number if self.least is None else min(self.least, number)
            self.largest = number if self.largest is None else max(self.largest, number)
        else:
            self.types["string"] += 1
            self.longest = max(self.longest or 0, len(value))


class Known:
    """The figures of what is stored in the end."""

    def __init__(self) -> None:
        self.stored = 0
        self.daily: defaultdict[tuple[Hashable, ...], Sum] = defaultdict(Sum)
        self.quarters: Counter[tuple[int, str, bool]] = Counter()
        self.arrived: Counter[tuple[int, bool]] = Counter()
        self.conversions: defaultdict[tuple[str, str, str | None, str | None], Sum] = defaultdict(Sum)
        self.repeats: Counter[tuple[str, str]] = Counter()
        self.differing: Counter[tuple[str, str]] = Counter()
        self.touches: Counter[tuple[str, str, bool]] = Counter()
        self.interactions: defaultdict[tuple[str, str], set[tuple[str, int]]] = defaultdict(set)
        self.clients: defaultdict[tuple[str, date], Bits] = defaultdict(Bits)
        self.late: Counter[int] = Counter()
        self.nobodys: Counter[str] = Counter()
        self.params: dict[str, defaultdict[str, Key]] = {name: defaultdict(Key) for name in SHAPED}

    def add(self, event: Planned) -> None:
        """Count an event that is stored and stays."""
        self.stored += 1
        partner = PARTNERS[event.partner]
        self.quarters[event.at // QUARTER, partner, event.is_test] += 1
        self.arrived[event.arrives // QUARTER, event.is_test] += 1
        if event.is_test:
            return
        money = event.money
        self.daily[
            event.at // DAY, partner, event.tag, event.name, event.channel, event.country, event.browser,
            money.currency, money.issue,
        ].add(1, money.value_e4)  # fmt: skip
        self.late[sum(event.arrives - event.at > bound for bound in LATE)] += 1
        if event.client is not None:
            self.clients[partner, day_of(event.at)].add(event.client)
        elif event.session is None:
            self.nobodys[event.name] += 1
        if event.name in SHAPED:
            for key, value in read(money.params).items():
                self.params[event.name][key].add(value)
        if event.name in CONVERSIONS:
            self._add_conversion(event, partner)
        self._add_touch(event, partner)

    def _add_conversion(self, event: Planned, partner: str) -> None:
        if event.is_repeat:
            self.repeats[partner, event.name] += 1
            self.differing[partner, event.name] += event.differs
        else:
            of = self.conversions[partner, event.name, event.money.currency, event.money.issue]
            of.add(1, event.money.value_e4)

    def _add_touch(self, event: Planned, partner: str) -> None:
        if (shown := touch_of(event)) is not None:
            kind, ours = shown
            self.touches[partner, kind, ours is not None] += 1
            if ours is not None:
                self.interactions[partner, kind].add(ours)

    # --- made of what was counted ---

    def by(self, *names: str) -> dict[tuple[Any, ...], Pair]:
        """Return the counts by some of the dimensions: how many, and what they are worth."""
        return _summed(self.daily, DIMENSIONS, names)

    def conversions_by(self, *names: str) -> dict[tuple[Any, ...], Pair]:
        """Return the same of conversions, each counted once, by some of what tells them apart."""
        return _summed(self.conversions, OF_CONVERSIONS, names)

    def dated(self, *names: str) -> dict[tuple[Any, ...], Pair]:
        """Return what `by` returns, of all dimensions unless some are named, with the days as dates."""
        names = names or DIMENSIONS
        place = names.index("day")
        return {
            (*key[:place], day_of(key[place] * DAY), *key[place + 1 :]): pair for key, pair in self.by(*names).items()
        }

    def days(self, zone: str) -> dict[tuple[date, str], int]:
        """Return the events of each day of a time zone, and of each partner."""
        found: Counter[tuple[date, str]] = Counter()
        for (quarter, partner, is_test), events in self.quarters.items():
            if not is_test:
                at = quarter * QUARTER
                found[day_of(at + ZONES[zone](at)), partner] += events
        return dict(found)


def _summed(sums: Mapping[Any, Sum], names: Sequence[str], wanted: Sequence[str]) -> dict[tuple[Any, ...], Pair]:
    places = [names.index(name) for name in wanted]
    found: defaultdict[tuple[Any, ...], Sum] = defaultdict(Sum)
    for key, one in sums.items():
        found[tuple(key[place] for place in places)].add(*one.pair)
    return {key: one.pair for key, one in found.items()}


def known(planned: Iterable[Planned]) -> Known:
    """Count the events of a plan that are not erased."""
    found = Known()
    for event in planned:
        if not event.is_erased:
            found.add(event)
    return found
