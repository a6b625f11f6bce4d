"""Lays a partner's file and what is stored side by side, and tells of each line, and of each stored id, its class."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice

from collect.backfills.formats.records import Record
from reporting.reconciling import stored
from reporting.reconciling.classes import OfLine, OfStored, class_of, counted, why_different
from reporting.reconciling.columns import Columns
from reporting.reconciling.desk import Desk, Here, Laid, StoredEvent
from reporting.reconciling.lines import BadLine, Line, Reader
from reporting.reconciling.wanted import DEFAULT_NAME, Match, Role, Wanted, counts_once
from reporting.reports.question import BadQuestion

# Names of events that are compared at a time: more are no names.
NAMES = 500
STEP = 2_000

# Yields the stored events of these names, some at a time; ids are those of the match.
Stored = Callable[[Wanted, list[str], Match], Iterable[list[StoredEvent]]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A line of the file, or an id that is stored and in no line, and its class."""

    of: OfLine | OfStored
    name: str | None = None
    id: str | None = None
    # The line, or of one that could not be read its number.
    line: Line | None = None
    number: int | None = None
    here: Here | None = None
    cause: str = ""
    # Of an id once: of the first of its lines, and of what is only here.
    speaks_for_id: bool = False

    @property
    def counted(self) -> int:
        """How many times reports count what is stored under the id."""
        here = self.here
        if here is None:
            return 0
        return counted(here.rows, here.event_ids, here.without_id, once=counts_once(self.name or ""))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file and what is stored, laid side by side. `columns` is None for a file of which no line could be read."""

    wanted: Wanted
    desk: Desk
    columns: Columns | None
    match: Match
    has_amounts: bool
    names: list[str]

    def verdicts(self) -> Iterator[Verdict]:
        """Yield the lines in the order of the file, then what is only stored here in the order of its receipt."""
        faults = (Verdict(OfLine.UNREADABLE, number=number, cause=cause) for number, cause in self.desk.faults())
        lines = (self._of_line(laid) for laid in self.desk.lines())
        yield from heapq.merge(lines, faults, key=lambda verdict: verdict.number or 0)
        for name, id, here in self.desk.only_here():
            yield Verdict(OfStored.ONLY_HERE, name, id, here=here, speaks_for_id=True)
        for name, here in self.desk.without_id():
            yield Verdict(OfStored.WITHOUT_ID, name, here=here)

    def _of_line(self, laid: Laid) -> Verdict:
        line, here = laid.line, laid.here
        tolerance = self.wanted.tolerance if self.has_amounts else None
        of = class_of(line.money, laid.among, here.money if here else None, tolerance)
        cause = why_different(line.money, here.money) if of is OfLine.DIFFERENT and here is not None else ""
        return Verdict(of, line.name, line.id, line, line.number, here, cause, laid.among.is_first)


@contextmanager
def comparing(wanted: Wanted, records: Iterable[Record], events: Stored = stored.stream) -> Iterator[Comparison]:
    """Lay the records and the partner's events side by side.

    Raises `BadQuestion` for columns that cannot be told, `Unreadable` for a file that cannot be read to its end, and
    `django.db.Error`.
    """
    with closing(Desk()) as desk:
        reader = Reader(wanted)
        _lay_lines(desk, reader, records)
        desk.all_lines_are_laid()
        if reader.columns is not None:
            reader.columns.check(reader.seen.__contains__)
        names = _names(desk, wanted)
        match = reader.columns.match if reader.columns else wanted.match or Match.EVENT_ID
        for some in events(wanted, names, match):
            desk.lay_stored(some)
        desk.all_stored_are_laid()
        yield Comparison(wanted, desk, reader.columns, match, Role.AMOUNT in reader.seen, names)


def _lay_lines(desk: Desk, reader: Reader, records: Iterable[Record]) -> None:
    lines = _read(desk, reader, records)
    while some := list(islice(lines, STEP)):
        desk.lay_lines(some)


def _read(desk: Desk, reader: Reader, records: Iterable[Record]) -> Iterator[Line]:
    for record in records:
        try:
            yield reader(record)
        except BadLine as bad:
            desk.lay_fault(record.line, str(bad))


def _names(desk: Desk, wanted: Wanted) -> list[str]:
    found = sorted(desk.names())
    if len(found) > NAMES:
        raise BadQuestion(f"the file names more than {NAMES} kinds of events; say which one is meant with --event-name")
    return found or [wanted.event_name or DEFAULT_NAME]
