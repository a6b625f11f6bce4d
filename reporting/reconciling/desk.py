"""Where the file and what is stored are laid side by side: a temporary database of SQLite, which nobody else sees.

Memory does not grow with the file: SQLite keeps `CACHE_KIB` of it and writes the rest to a file without a name, which
is gone with the process.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.reconciling.classes import Among, Money
from reporting.reconciling.lines import Line

CACHE_KIB = 64 * 1024
# Ids that are looked up at a time.
STEP = 2_000

_TABLES = """
CREATE TABLE line (seq INTEGER PRIMARY KEY, number, name, id, amount, currency, at, tag, other);
CREATE TABLE fault (seq INTEGER PRIMARY KEY, number, cause);
CREATE TABLE in_file (name, id, first, amounts, PRIMARY KEY (name, id)) WITHOUT ROWID;
CREATE TABLE stored (name, id, place, event, event_id, at, amount, currency, issue);
CREATE TABLE here (
    name, id, in_file, place, event, at, amount, currency, issue, rows, event_ids, without_id, moneys,
    PRIMARY KEY (name, id)
) WITHOUT ROWID;
"""
_GROUP_LINES = """
INSERT INTO in_file
SELECT name, id, min(seq), count(DISTINCT coalesce(amount, '') || ' ' || coalesce(currency, ''))
FROM line GROUP BY name, id
"""
# The columns that are no aggregates are those of the row with the least place (SQLite, "bare columns").
_GROUP_STORED = """
INSERT INTO here
SELECT s.name, s.id, f.id IS NOT NULL, min(s.place), s.event, s.at, s.amount, s.currency, s.issue,
    count(*), count(DISTINCT s.event_id), sum(s.event_id IS NULL),
    count(DISTINCT coalesce(s.amount, '') || ' ' || coalesce(s.currency, '') || ' ' || coalesce(s.issue, ''))
FROM stored AS s LEFT JOIN in_file AS f ON f.name = s.name AND f.id = s.id
WHERE s.id IS NOT NULL GROUP BY s.name, s.id
"""
_HERE = "h.event, h.at, h.amount, h.currency, h.issue, h.rows, h.event_ids, h.without_id, h.moneys"
_LINES = f"""
SELECT l.number, l.name, l.id, l.amount, l.currency, l.at, l.tag, l.other, l.seq = f.first, f.amounts, {_HERE}
FROM line AS l JOIN in_file AS f ON f.name = l.name AND f.id = l.id
LEFT JOIN here AS h ON h.name = l.name AND h.id = l.id ORDER BY l.seq
"""  # noqa: S608  # of our own constants
_ONLY_HERE = f"SELECT h.name, h.id, {_HERE} FROM here AS h WHERE NOT h.in_file ORDER BY h.place, h.id"  # noqa: S608
_WITHOUT_ID = """
SELECT name, event, at, amount, currency, issue, 1, 0, 1, 1 FROM stored WHERE id IS NULL ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A stored event as it is compared. `place` orders events as they were received; moments are in microseconds."""

    name: str
    place: str
    event: str
    event_id: str | None
    at: int
    money: Money
    # The ids under which it may be found; none where it has none.
    ids: tuple[str, ...]
    is_in_range: bool


@dataclass(frozen=True, slots=True)
class Here:
    """What is stored under an id: the event received first, and how many there are."""

    event: str
    at: int
    money: Money
    rows: int = 1
    event_ids: int = 1
    without_id: int = 0
    # How many different values they have.
    moneys: int = 1


@dataclass(frozen=True, slots=True)
class Laid:
    """A readable line with its place among the lines of its id, and what is stored under it."""

    line: Line
    among: Among
    here: Here | None


class Desk:
    """The temporary database. First all lines are laid down, then what is stored; then both are read."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; {_TABLES} BEGIN"
        )

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def lay_lines(self, lines: Iterable[Line]) -> None:
        """Take lines of the file, in their order."""
        self._add("line", [(None, *_columns(line)) for line in lines])

    def lay_fault(self, number: int, cause: str) -> None:
        """Take a line that could not be read."""
        self._add("fault", [(None, number, cause)])

    def _add(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  # our own names

    def all_lines_are_laid(self) -> None:
        """Group the lines by their ids. Call it once, before events are laid beside them."""
        self._database.execute(_GROUP_LINES)

    def names(self) -> list[str]:
        """Return the names of events that the lines have."""
        return [name for (name,) in self._database.execute("SELECT DISTINCT name FROM in_file")]

    def lay_stored(self, events: Sequence[StoredEvent]) -> None:
        """Take those of the events that are in the range or that a line names."""
        wanted = self._named([(event.name, id) for event in events for id in event.ids])
        rows: list[tuple[Any, ...]] = []
        for event in events:
            ids: list[str | None] = [id for id in event.ids if (event.name, id) in wanted]
            if not ids and event.is_in_range:
                ids = [event.ids[0] if event.ids else None]
            money = event.money
            of_event = (event.place, event.event, event.event_id, event.at, money.amount, money.currency, money.issue)
            rows += [(event.name, id, *of_event) for id in ids]
        self._add("stored", rows)

    def _named(self, ids: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of the ids that lines have."""
        found = set()
        for some in (ids[start : start + STEP] for start in range(0, len(ids), STEP)):
            marks = ", ".join(["(?, ?)"] * len(some))
            values = [value for pair in some for value in pair]
            found |= set(
                self._database.execute(
                    f"SELECT f.name, f.id FROM (VALUES {marks}) AS w "  # noqa: S608  # only placeholders
                    "JOIN in_file AS f ON f.name = w.column1 AND f.id = w.column2",
                    values,
                )
            )
        return found

    def all_stored_are_laid(self) -> None:
        """Group the events by their ids. Call it once, before anything is read."""
        self._database.execute(_GROUP_STORED)

    def lines(self) -> Iterator[Laid]:
        """Yield the lines that could be read, in their order."""
        for row in self._database.execute(_LINES):
            number, name, id, amount, currency, at, tag, other, is_first, amounts, *here = row
            line = Line(number, name, id, Money(amount, currency), at, tag, other)
            yield Laid(line, Among(bool(is_first), amounts), _here(here) if here[0] is not None else None)

    def faults(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each line that could not be read, and why."""
        yield from self._database.execute("SELECT number, cause FROM fault ORDER BY seq")

    def only_here(self) -> Iterator[tuple[str, str, Here]]:
        """Yield the event name and id of what is stored and in no line, in the order in which it was received."""
        for name, id, *here in self._database.execute(_ONLY_HERE):
            yield name, id, _here(here)

    def without_id(self) -> Iterator[tuple[str, Here]]:
        """Yield the event name of each stored event that has no id to compare."""
        for name, *here in self._database.execute(_WITHOUT_ID):
            yield name, _here(here)


def _columns(line: Line) -> tuple[Any, ...]:
    return line.number, line.name, line.id, line.money.amount, line.money.currency, line.at, line.tag, line.other


def _here(row: Sequence[Any]) -> Here:
    event, at, amount, currency, issue, *counts = row
    return Here(event, at, Money(amount, currency, issue), *counts)
