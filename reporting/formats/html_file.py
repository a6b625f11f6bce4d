"""An answer as a page in one file: it loads nothing, runs nothing, and looks like the console."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string

from reporting.formats.presentation import Presentation, tables, told_once
from reporting.formats.values import CURRENCY, Words
from reporting.reports.answer import Answer, Column, Kind, Table
from runtime import display

# A text that is not broken into lines has so many characters at most.
SHORT = 28


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell: its text, its classes, and the length of its bar in per cent where it has one."""

    text: str
    css: str = ""
    bar: str = ""


@dataclass(frozen=True, slots=True)
class _Heading:
    """The heading of a column."""

    label: str
    is_number: bool
    # A bar stands in front of its cells.
    is_drawn: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    """A table as the template needs it."""

    table: Table
    columns: Sequence[_Heading]
    rows: Sequence[Sequence[_Cell]]
    sentences: Sequence[Column]

    @property
    def width(self) -> int:
        """How many columns there are, that of the bars among them."""
        return len(self.columns) + any(column.is_drawn for column in self.columns)


def render(answer: Answer, how: Presentation) -> bytes:
    """Return the page. Raises `BadQuestion` for a table that the answer does not have."""
    style = render_to_string("reporting/report.css")
    shown = tables(answer, how)
    context = {
        "answer": answer,
        "tables": [_shown(table, told, how) for table, told in zip(shown, told_once(shown), strict=True)],
        "style": style,
        # The policy allows this style alone.
        "digest": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "command": how.command,
        "made_at": display.second(how.made_at) if how.made_at else "",
    }
    page = display.on_page(render_to_string("reporting/report.html", context))
    return page.encode("utf-8", "backslashreplace")


def _shown(table: Table, told: Sequence[Column], how: Presentation) -> _Shown:
    words, drawn, bars = Words(table, how.zone), _drawn(table), _bars(table)
    headings = [
        _Heading(column.label, column.kind.is_number, place == drawn) for place, column in enumerate(table.columns)
    ]
    rows = []
    for row, bar in zip(table.rows, bars, strict=True):
        cells = zip(table.columns, row, words.row(table.columns, row), strict=True)
        rows.append(
            [
                _Cell(text, _css(column.kind, text, is_unknown=value is None), bar if place == drawn else "")
                for place, (column, value, text) in enumerate(cells)
            ]
        )
    return _Shown(table, headings, rows, told)


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
    """Return the place of the first column that bars can compare; None where all is zero.

    Amounts of two currencies cannot be compared.
    """
    names = [column.name for column in table.columns]
    currencies = {row[names.index(CURRENCY)] for row in table.rows} if CURRENCY in names else set()
    for place, column in enumerate(table.columns):
        if column.kind.is_number and not (column.kind is Kind.AMOUNT and len(currencies) > 1):
            return place if any((row[place] or 0) > 0 for row in table.rows) else None
    return None


def _bars(table: Table) -> list[str]:
    """Return the length of each row's bar, empty for none. The longest is the whole, but a share is of one."""
    place = _drawn(table)
    if place is None:
        return [""] * len(table.rows)
    found = [float(row[place] or 0) for row in table.rows]
    whole = 1.0 if table.columns[place].kind is Kind.SHARE else max(found)
    return [f"{min(1.0, max(0.0, value / whole)):.2%}" for value in found]
