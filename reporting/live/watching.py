"""What a watcher of the stream is told: every row once it is committed, however late that is.

A row is committed later than it is received: when its group has its turn, after a retry, or hours later, from the
spool. So nothing is told by "newer than the last one". A watcher is told of whole seconds. It carries the number of
rows that it was told of in each of the last two minutes; the seconds that have another number by now are told again.
What is committed later than that is noted by whoever writes it (`collect/storage/late.py`), and told as that.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Max, Min, Sum

from collect.models import LateArrival
from reporting.live import listing, stream
from reporting.live.filters import BadFilter, Filter
from reporting.live.stream import Place, Row
from reporting.ranges import Range

# How many of the last seconds are looked at again: at each look, and each once in so many seconds.
NEAR, DEEP = 15, 120
DEEP_EVERY = 15
# Machines whose clocks are ahead give rows of seconds that have not come yet.
AHEAD = 5
# A second with more rows is folded to its newest ones; a look tells of so many rows in all.
SHOWN, ROWS = 10, 200
# What was noted is told when it has been committed for certain.
_NOTED_AFTER = timedelta(seconds=10)
_CURSOR = re.compile(r"(\d{1,11})\.(\d{1,11})\.(\d{1,17})\.(\d{1,7}(?:-\d{1,7}){0,119})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a watcher was told: the rows of each second from `start` on, in seconds since 1970.

    `checked` is when it last looked; `noted`, in microseconds, how far late rows were told.
    """

    start: int
    checked: int
    noted: int
    told: tuple[int, ...]

    @property
    def end(self) -> int:
        """The first second of which nothing was told."""
        return self.start + len(self.told)

    def __str__(self) -> str:
        """Write it as an address has it."""
        return f"{self.start}.{self.checked}.{self.noted}.{'-'.join(map(str, self.told))}"


@dataclass(frozen=True, slots=True)
class Second:
    """All that is known of a time, in the place of what was told of it before. `rows` are the newest of it.

    The rest of its `events` and `rejections`, if there is any, is behind a link to `range`.
    """

    range: Range
    events: int
    rejections: int
    rows: Sequence[Row]
    was_told: bool
    # Whether there may be more than were counted.
    is_least: bool = False

    @property
    def more(self) -> int:
        """How many rows there are besides those in `rows`."""
        return max(0, self.events + self.rejections - len(self.rows))


@dataclass(frozen=True, slots=True)
class Late:
    """Rows that were committed long after they were received; `road` is what brought them."""

    road: str
    partner: str
    events: int
    rejections: int
    range: Range


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher is told at one look. `seconds` are the newest first. `missed` is a time too long to tell of."""

    seconds: Sequence[Second]
    missed: Second | None
    late: Sequence[Late]
    cursor: Cursor
    # Rows that were not told of before.
    new: int


def look(chosen: Filter, cursor: Cursor | None, now: datetime) -> News:
    """Return what is new since `cursor`; without one, the last two minutes."""
    today = int(now.timestamp())
    end = today + 1 + AHEAD
    settled = now - _NOTED_AFTER
    if cursor is None:
        cursor = Cursor(end - DEEP, today, _microseconds(settled), ())
    end = max(end, cursor.end)
    start = max(cursor.end, end - DEEP)
    again = _due(cursor, today)
    told = dict(enumerate(cursor.told, cursor.start))
    found = stream.counts(chosen, [*again, *range(start, end)])
    changed = {one: number for one, number in found.items() if sum(number) != told.get(one, 0)}
    missed, caught_up = _between(chosen, cursor.end, start)
    now_told = told | {one: sum(number) for one, number in found.items()}
    kept = max(cursor.start, end - DEEP)
    return News(
        [*_seconds(chosen, changed, told), *caught_up],
        missed,
        _late(chosen, cursor.noted, settled),
        Cursor(
            kept,
            today,
            max(cursor.noted, _microseconds(settled)),
            tuple(now_told.get(one, 0) for one in range(kept, end)),
        ),
        sum(max(0, sum(number) - told.get(one, 0)) for one, number in changed.items())
        + sum(len(one.rows) for one in caught_up),
    )


def _due(cursor: Cursor, today: int) -> list[int]:
    """Return the seconds to look at again: the newest, and of the others so many that each has its turn in time."""
    turns = {one % DEEP_EVERY for one in range(max(cursor.checked, today - DEEP_EVERY), today)}
    newest = cursor.end - AHEAD - NEAR
    return [one for one in range(cursor.start, cursor.end) if one >= newest or one % DEEP_EVERY in turns]


def _between(chosen: Filter, start: int, end: int) -> tuple[Second | None, list[Second]]:
    """Return a time of which nothing was told: as one if it has many rows, else as its seconds."""
    if start >= end:
        return None, []
    time = Range(stream.second(start).start, stream.second(end).start)
    page = listing.search(chosen, time, Place(), ROWS)
    if page.older is not None:
        events, rejections, is_least = stream.count(chosen, time)
        return Second(time, events, rejections, (), was_told=False, is_least=is_least), []
    return None, by_second(page.rows)


def by_second(rows: Iterable[Row]) -> list[Second]:
    """Return the rows, which are all that there are, by their seconds."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(int(row.at.timestamp()), []).append(row)
    return [
        Second(stream.second(one), events, len(of_it) - events, of_it, was_told=False)
        for one, of_it in found.items()
        for events in [sum(row.kind == stream.EVENT for row in of_it)]
    ]


def _seconds(chosen: Filter, changed: dict[int, tuple[int, int]], told: dict[int, int]) -> list[Second]:
    """Return the seconds that have changed, newest first; only the newest with rows, so that these are not too many."""
    newest = sorted(changed, reverse=True)
    with_rows, left = set(), ROWS
    for one in newest:
        left -= min(SHOWN, sum(changed[one]))
        if left < 0:
            break
        with_rows.add(one)
    few = [one for one in with_rows if 0 < sum(changed[one]) <= SHOWN]
    rows: dict[int, list[Row]] = {}
    for row in stream.rows_of(chosen, few):
        rows.setdefault(int(row.at.timestamp()), []).append(row)
    for one in with_rows.difference(few):
        if sum(changed[one]):
            rows[one] = list(listing.page(chosen, stream.second(one), Place(), SHOWN).rows)
    return [
        Second(stream.second(one), *changed[one], rows.get(one, ()), was_told=bool(told.get(one))) for one in newest
    ]


def _late(chosen: Filter, since: int, until: datetime) -> list[Late]:
    """Return what was noted in this time, by what brought it and by partner."""
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)
    noted = LateArrival.objects.filter(at__gte=start, at__lt=until)
    if chosen.partner is not None:
        noted = noted.filter(partner=chosen.partner)
    sums = noted.values("road", "partner__name").order_by("road", "partner__name")
    return [
        Late(
            one["road"],
            one["partner__name"],
            one["events_of_it"],
            one["rejections_of_it"],
            Range(one["first"].replace(microsecond=0), one["last"].replace(microsecond=0) + timedelta(seconds=1)),
        )
        for one in sums.annotate(
            events_of_it=Sum("events"), rejections_of_it=Sum("rejections"), first=Min("start"), last=Max("end")
        )
    ]


def read(text: str) -> Cursor:
    """Return the cursor that an address names. Raises `BadFilter` for what is none."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise BadFilter(f"after: {text!r} does not say how far this page has come; open it anew")
    start, checked, noted, told = match.groups()
    return Cursor(int(start), int(checked), int(noted), tuple(map(int, told.split("-"))))


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
