"""A list of the stream, page by page: each begins behind the last row of the one before it, so none is left out."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from reporting.live import stream
from reporting.live.filters import BadFilter, Filter
from reporting.live.stream import Place, Row, Table
from reporting.ranges import Range

_PATIENCE_SECONDS = 0.5
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"e(?:(\d{1,18})\.([0-9a-f]{32}))?r(?:(\d{1,18})\.(\d{1,18}))?")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first. `older` is where the next page begins; None if there is no more.

    `looked_back_to` is the moment at which the search for more was ended, if it was: further back there may be some.
    """

    rows: Sequence[Row]
    older: Place | None
    looked_back_to: datetime | None = None


class _Found(NamedTuple):
    """What was found in one table: the newest rows, and the last place that was looked at if that is not the end."""

    table: Table
    rows: list[Row]
    has_more: bool
    last: tuple[datetime, Any] | None

    @property
    def complete_to(self) -> datetime:
        """Since when no row is missing."""
        if self.has_more:
            return self.rows[-1].at
        return self.last[0] if self.last else BEGINNING


def page(chosen: Filter, within: Range, place: Place, limit: int) -> Page:
    """Return the newest `limit` rows of this time that stand behind `place`.

    They are fewer where a filter that no index knows finds no more in the rows that may be looked at.
    """
    found = [_search(table, within, place, limit) for table in stream.tables(chosen)]
    complete_to = max((one.complete_to for one in found), default=BEGINNING)
    merged = stream.newest_first(row for one in found for row in one.rows if row.at >= complete_to)
    shown = merged[:limit]
    places, is_done, looked_back_to = {}, True, None
    for one in found:
        mine = [row for row in shown if row.kind == one.table.kind]
        whole = len(mine) == len(one.rows) and not one.has_more
        if whole and one.last and one.last[0] >= complete_to:
            places[one.table.kind] = one.last
            looked_back_to = max(one.last[0], looked_back_to or BEGINNING)
        elif mine:
            places[one.table.kind] = _place_of(mine[-1])
        is_done = is_done and whole and one.last is None
    older = Place(places.get(stream.EVENT, place.event), places.get(stream.REJECTION, place.rejection))
    return Page(shown, None if is_done else older, looked_back_to)


def search(chosen: Filter, within: Range, place: Place, limit: int) -> Page:
    """Return what `page` does, but look on where a filter finds few rows, for half a second at most."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    found = page(chosen, within, place, limit)
    rows = list(found.rows)
    while found.older is not None and len(rows) < limit and time.monotonic() < deadline:
        found = page(chosen, within, found.older, limit - len(rows))
        rows += found.rows
    return Page(rows, found.older, found.looked_back_to)


def all_rows(chosen: Filter, within: Range, step: int = 500) -> Iterator[Row]:
    """Yield every wanted row of this time, newest first, in steps."""
    place: Place | None = Place()
    while place is not None:
        found = page(chosen, within, place, step)
        yield from found.rows
        place = found.older


def _search(table: Table, within: Range, place: Place, limit: int) -> _Found:
    behind = table.below(table.all(within), place.event if table.kind == stream.EVENT else place.rejection)
    last = table.last_looked_at(behind)
    rows = table.read(table.from_(behind, last)[: limit + 1])
    return _Found(table, rows[:limit], len(rows) > limit, last)


def _place_of(row: Row) -> tuple[datetime, Any]:
    return row.at, UUID(row.id) if row.kind == stream.EVENT else int(row.id)


def everything_before(end: datetime) -> Range:
    """Return the time from the beginning to `end`."""
    return Range(BEGINNING, end)


def write(place: Place) -> str:
    """Return the place as an address has it."""
    event = f"{_microseconds(place.event[0])}.{place.event[1].hex}" if place.event else ""
    rejection = f"{_microseconds(place.rejection[0])}.{place.rejection[1]}" if place.rejection else ""
    return f"e{event}r{rejection}"


def read(text: str) -> Place:
    """Return the place that an address names; empty is the beginning. Raises `BadFilter` for what is none."""
    match = _PLACE.fullmatch(text or "er")
    if match is None:
        raise BadFilter(f"before: {text!r} is no place in a list")
    event, id, rejection, number = match.groups()
    try:
        return Place(
            (_moment(event), UUID(id)) if event else None, (_moment(rejection), int(number)) if rejection else None
        )
    except OverflowError:
        raise BadFilter(f"before: {text!r} is no place in a list") from None


def _microseconds(moment: datetime) -> int:
    return (moment - BEGINNING) // timedelta(microseconds=1)


def _moment(microseconds: str) -> datetime:
    return BEGINNING + timedelta(microseconds=int(microseconds))
