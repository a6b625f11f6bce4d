"""Tables of an answer as HTML needs them: cells with their classes, and bars where one column can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from reporting.formats.presentation import told_once
from reporting.formats.values import CURRENCY, Words
from reporting.reports.answer import Column, Kind, Table

# A text that is not broken into lines has so many characters at most.
SHORT = 28


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, its classes, and the length of its bar in per cent where it has one."""

    text: str
    css: str = ""
    bar: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column."""

    label: str
    is_number: bool
    # A bar stands in front of its cells.
    is_drawn: bool
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as the template needs it."""

    table: Table
    columns: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    sentences: Sequence[Column]

    @property
    def width(self) -> int:
        """How many columns there are, that of the bars among them."""
        return len(self.columns) + any(column.is_drawn for column in self.columns)


def shown(tables: Sequence[Table], zone: tzinfo) -> list[Shown]:
    """Return the tables as templates need them. A sentence that an earlier one has told is not told again."""
    return [_shown(table, told, zone) for table, told in zip(tables, told_once(tables), strict=True)]


def _shown(table: Table, told: Sequence[Column], zone: tzinfo) -> Shown:
    words, drawn = Words(table, zone), _drawn(table)
    headings = [
        Heading(column.label, column.kind.is_number, place == drawn, column.sentence)
        for place, column in enumerate(table.columns)
    ]
    rows = []
    for row, bar in zip(table.rows, _bars(table, drawn), strict=True):
        cells = zip(table.columns, row, words.row(table.columns, row), strict=True)
        rows.append(
            [
                Cell(text, _css(column.kind, text, is_unknown=value is None), bar if place == drawn else "")
                for place, (column, value, text) in enumerate(cells)
            ]
        )
    return Shown(table, headings, rows, told)


def _css(kind: Kind, text: str, *, is_unknown: bool) -> str:
    is_text = kind is Kind.TEXT
    names = {
        "number": kind.is_number,
        "moment": kind is Kind.MOMENT,
        "unknown": is_unknown,
        "short": is_text and len(text) <= SHORT,
        "long": is_text and len(text) > SHORT,
    }
    return " ".join(name for name, holds in names.items() if holds)


def _drawn(table: Table) -> int | None:
    """Return the place of the first column that bars can compare; None where all is zero, or nothing to compare.

    Amounts of two currencies cannot be compared. A number in the first column names its row, as that of a step.
    """
    if len(table.rows) == 1 and not any(column.kind is Kind.SHARE for column in table.columns):
        return None
    names = [column.name for column in table.columns]
    currencies = {row[names.index(CURRENCY)] for row in table.rows} if CURRENCY in names else set()
    for place, column in enumerate(table.columns):
        if place and column.kind.is_number and not (column.kind is Kind.AMOUNT and len(currencies) > 1):
            return place if any((row[place] or 0) > 0 for row in table.rows) else None
    return None


def _bars(table: Table, place: int | None) -> list[str]:
    """Return the length of each row's bar, empty for none. The longest is the whole, but a share is of one."""
    if place is None:
        return [""] * len(table.rows)
    found = [float(row[place] or 0) for row in table.rows]
    whole = 1.0 if table.columns[place].kind is Kind.SHARE else max(found)
    return [f"{min(1.0, max(0.0, value / whole)):.2%}" for value in found]
