"""The tables of a reconciliation: what each is called, its columns, and how a verdict becomes a row of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.reconciling.classes import NOTHING, Money, OfLine
from reporting.reconciling.comparison import Verdict
from reporting.reconciling.money import units
from reporting.reconciling.stored import moment
from reporting.reports.answer import Column, Kind


@dataclass(frozen=True, slots=True)
class Field:
    """A column and what it has of a verdict."""

    column: Column
    of: Callable[[Verdict], Any]


def _line(verdict: Verdict) -> Money:
    return verdict.line.money if verdict.line else NOTHING


def _here(verdict: Verdict) -> Money:
    return verdict.here.money if verdict.here else NOTHING


def _units(amount: int | None) -> Any:
    return None if amount is None else units(amount)


def _moment(at: int | None) -> Any:
    return None if at is None else moment(at)


LINE = Field(Column("line", Kind.COUNT, "The line in the file; of Parquet, the row"), lambda v: v.number)
ID = Field(Column("id", Kind.TEXT, "The id of the event or order"), lambda v: v.id)
NAME = Field(Column("event_name", Kind.TEXT, "The name of the event"), lambda v: v.name)
AMOUNT = Field(Column("amount", Kind.AMOUNT, "The amount in the file"), lambda v: _units(_line(v).amount))
CURRENCY = Field(Column("currency", Kind.TEXT, "Its currency"), lambda v: _line(v).currency)
TIME = Field(Column("time", Kind.MOMENT, "The time in the file"), lambda v: _moment(v.line.at if v.line else None))
EVENT = Field(
    Column("stored_event", Kind.TEXT, "The event that is stored; of several the first received"),
    lambda v: v.here.event if v.here else None,
)
STORED_TIME = Field(
    Column("stored_time", Kind.MOMENT, "When the stored event happened (timestamp)"),
    lambda v: _moment(v.here.at if v.here else None),
)
STORED_AMOUNT = Field(Column("stored_amount", Kind.AMOUNT, "Its value"), lambda v: _units(_here(v).amount))
STORED_CURRENCY = Field(Column("stored_currency", Kind.TEXT, "Its currency"), lambda v: _here(v).currency)
# In tables of what is stored alone the only currency is that of the row.
VALUE = Field(Column("amount", Kind.AMOUNT, "The value that is stored"), lambda v: _units(_here(v).amount))
VALUE_CURRENCY = Field(Column("currency", Kind.TEXT, "Its currency"), lambda v: _here(v).currency)
ISSUE = Field(
    Column("stored_issue", Kind.TEXT, "Why its value does not count (value_issue of reporting_events)"),
    lambda v: _here(v).issue,
)
EVENTS = Field(
    Column("stored_events", Kind.COUNT, "How many events are stored under the id"),
    lambda v: v.here.rows if v.here else 0,
)
COUNTED = Field(Column("counted", Kind.COUNT, "How many times reports count them"), lambda v: v.counted)
VALUES = Field(
    Column("stored_values", Kind.COUNT, "How many different values they have"), lambda v: v.here.moneys if v.here else 0
)
CAUSE = Field(Column("cause", Kind.TEXT, "What differs, or why the line cannot be read"), lambda v: v.cause or None)
REPEATS = Field(
    Column("repeats", Kind.TEXT, "Whether it says the same as the line before with its id, or another one differs"),
    lambda v: "equal" if v.of is OfLine.DOUBLED_EQUAL else "different",
)
CLASS = Field(Column("class", Kind.TEXT, "The class of the line, or of what is stored and in no line"), lambda v: v.of)

OF_KIND: dict[str, tuple[str, Sequence[Field]]] = {
    "missing": ("Missing: in the file, and not stored", (LINE, ID, NAME, AMOUNT, CURRENCY, TIME)),
    "different": (
        "Different: stored with another amount or currency",
        (LINE, ID, AMOUNT, CURRENCY, STORED_AMOUNT, STORED_CURRENCY, CAUSE, EVENT),
    ),
    "doubled": (
        "Doubled: an id that the file has more than once",
        (LINE, ID, REPEATS, AMOUNT, CURRENCY, STORED_AMOUNT, STORED_CURRENCY),
    ),
    "unreadable": ("Unreadable lines", (LINE, CAUSE)),
    "only_here": (
        "Only here: stored in the range, and not in the file",
        (ID, NAME, VALUE, VALUE_CURRENCY, STORED_TIME, EVENT),
    ),
    "without_id": (
        "Stored in the range without an id that could be compared",
        (NAME, VALUE, VALUE_CURRENCY, STORED_TIME, EVENT),
    ),
    "counted_again": (
        "Stored more than once, and counted more than once",
        (ID, NAME, EVENTS, COUNTED, VALUES, VALUE, VALUE_CURRENCY, EVENT),
    ),
    "stored_again": (
        "Stored more than once, and counted once: the first received",
        (ID, NAME, EVENTS, COUNTED, VALUES, VALUE, VALUE_CURRENCY, EVENT),
    ),
}
# All that the file of a comparison has.
WHOLE: Sequence[Field] = (
    CLASS, LINE, ID, NAME, AMOUNT, CURRENCY, TIME,
    EVENT, STORED_TIME, STORED_AMOUNT, STORED_CURRENCY, ISSUE, EVENTS, COUNTED, VALUES, CAUSE,
)  # fmt: skip
