"""A reconciliation as an `Answer`: the classes of lines first, then one table for each kind of thing to look at."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from reporting.reconciling.classes import OfLine, OfStored
from reporting.reconciling.comparison import Comparison
from reporting.reconciling.money import units
from reporting.reconciling.tables import OF_KIND
from reporting.reconciling.tally import Tally
from reporting.reconciling.wanted import Match, Role, Wanted
from reporting.reports.answer import Answer, Column, Kind, Table

_MEANING = {
    OfLine.AGREES: "stored, with the same amount",
    OfLine.DIFFERENT: "stored, with another amount or currency",
    OfLine.MISSING: "not stored",
    OfLine.DOUBLED_EQUAL: "repeats a line before it, and says the same",
    OfLine.DOUBLED_DIFFERENT: "another line has the same id and another amount: which one holds has to be decided",
    OfLine.UNREADABLE: "cannot be compared; its cause is told",
}
ALL_LINES, ALL_STORED = "lines_of_the_file", "stored"
IN_BOTH = "in_file"
_CLASS = Column("class", Kind.TEXT, "What became of them")
_CURRENCY = Column("currency", Kind.TEXT, "The currency: amounts of two are never added up")


def answer_of(comparison: Comparison, tally: Tally, file: str) -> Answer:
    """Return the answer, with as many rows of each kind as the tally has kept."""
    tables = [_lines(tally, has_amounts=comparison.has_amounts), _stored(tally), *_kinds(tally)]
    if comparison.has_amounts:
        tables.insert(2, _amounts(tally))
    title = f"{file} beside what is stored of {comparison.wanted.partner.name}"
    return Answer("reconcile", title, _stated(comparison, file), tables, list(_notes(tally)))


def _stated(comparison: Comparison, file: str) -> dict[str, str]:
    wanted = comparison.wanted
    return {
        "file": file,
        "partner": wanted.partner.name,
        "ids": _ids(comparison),
        "amounts": _read_of(comparison, Role.AMOUNT) if comparison.has_amounts else "not compared: the file has none",
        "currency": wanted.currency_code or _read_of(comparison, Role.CURRENCY),
        "times of the file": _read_of(comparison, Role.TIME),
        "event names": ", ".join(comparison.names),
        "events from": _moment(wanted.since, wanted, "the first"),
        "until before": _moment(wanted.until, wanted, "the last is in it"),
        "time zone": str(wanted.zone),
        "tolerance": f"{wanted.tolerance} of the smallest units of the currency",
        "test events": "not counted",
    }


def _ids(comparison: Comparison) -> str:
    if comparison.columns is None:
        return "no line could be read"
    beside = "event_id" if comparison.match is Match.EVENT_ID else "the order's number in params"
    return f"column {comparison.columns.id}, beside {beside}"


def _read_of(comparison: Comparison, role: Role) -> str:
    found = comparison.columns.found.get(role, []) if comparison.columns else []
    return f"column {', '.join(found)}" if found else "no column"


def _moment(moment: datetime | None, wanted: Wanted, none: str) -> str:
    return f"{moment.astimezone(wanted.zone):%Y-%m-%d %H:%M}" if moment else none


def _lines(tally: Tally, *, has_amounts: bool) -> Table:
    meaning = _MEANING if has_amounts else {**_MEANING, OfLine.AGREES: "stored"}
    rows: list[Sequence[Any]] = [(of, tally.lines[of], meaning[of]) for of in OfLine]
    rows.append((ALL_LINES, tally.all_lines, "the sum of the classes"))
    columns = (
        Column("class", Kind.TEXT, "What became of a line; each line is in one class"),
        Column("lines", Kind.COUNT, "How many lines; a header and blank lines are none"),
        Column("meaning", Kind.TEXT, "What the class says"),
    )
    return Table("lines", "Lines of the file", columns, rows)


def _stored(tally: Tally) -> Table:
    without = tally.of_kind["without_id"]
    rows = (
        (IN_BOTH, tally.ids_in_both, tally.events_in_both),
        (OfStored.ONLY_HERE, tally.of_kind["only_here"], tally.events_only_here),
        (OfStored.WITHOUT_ID, None, without),
        (
            ALL_STORED,
            tally.ids_in_both + tally.of_kind["only_here"],
            tally.events_in_both + tally.events_only_here + without,
        ),
    )
    columns = (
        Column("class", Kind.TEXT, "What became of what is stored: in the range, or named by a line"),
        Column("ids", Kind.COUNT, "How many ids"),
        Column("events", Kind.COUNT, "How many events: an id may be stored more than once"),
    )
    return Table("stored", "What is stored", columns, rows)


def _amounts(tally: Tally) -> Table:
    rows = [
        (of, currency, units(sums.in_file), units(sums.here))
        for (of, currency), sums in sorted(tally.sums.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1]))
    ]
    columns = (
        _CLASS,
        _CURRENCY,
        Column("in_file", Kind.AMOUNT, "The sum of the amounts in the file"),
        Column("stored", Kind.AMOUNT, "The sum of the values that are stored"),
    )
    return Table("amounts", "Amounts of each class", columns, rows, ["Doubled lines are not added up."])


_ORDER: list[str] = [*OfLine, *OfStored]


def _kinds(tally: Tally) -> Iterator[Table]:
    for kind, (title, fields) in OF_KIND.items():
        if examples := tally.examples.get(kind):
            rows = [[field.of(verdict) for field in fields] for verdict in examples]
            more = tally.of_kind[kind] - len(examples)
            notes = [f"{more:,} more are not shown; --out FILE has all, and --rows shows more."] if more else []
            yield Table(kind, title, [field.column for field in fields], rows, notes)


def _notes(tally: Tally) -> Iterator[str]:
    if tally.undecided:
        yield (
            f"{tally.undecided:,} lines have an id that is not stored and differ from another line of it: they are "
            "not sent again before one of them is taken out of the file."
        )
    if tally.missing_without_time:
        yield (
            f"{tally.missing_without_time:,} missing lines have no time: sent again they count on the day on which "
            "they are sent."
        )
    if tally.of_kind["counted_again"]:
        yield (
            f"{tally.of_kind['counted_again']:,} ids count more than once in reports, since their events have "
            "different event_ids, none, or a name that is no conversion's."
        )
