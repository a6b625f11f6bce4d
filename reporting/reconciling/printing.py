"""Prints an answer on a terminal."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from reporting.reports.answer import Answer, Kind, Table
from runtime.display import on_terminal


def printed(answer: Answer, zone: tzinfo) -> str:
    """Return the answer in lines."""
    lines = [answer.title, *(f"  {name}: {value}" for name, value in answer.stated.items())]
    for table in answer.tables:
        lines += ["", table.title, *_rows(table, zone), *table.notes]
    return "\n".join(map(on_terminal, [*lines, *([""] if answer.notes else []), *answer.notes]))


def _rows(table: Table, zone: tzinfo) -> Iterator[str]:
    cells = [[column.label for column in table.columns]]
    cells += [[_cell(value, zone) for value in row] for row in table.rows]
    widths = [max(map(len, of_column)) for of_column in zip(*cells, strict=True)]
    for row in cells:
        pairs = zip(row, widths, table.columns, strict=True)
        yield "  ".join(
            cell.ljust(width) if column.kind in (Kind.TEXT, Kind.MOMENT) else cell.rjust(width)
            for cell, width, column in pairs
        ).rstrip()


def _cell(value: Any, zone: tzinfo) -> str:
    if isinstance(value, Decimal):
        text = f"{value:,f}"
        return text if "." in text and len(text.partition(".")[2]) >= 2 else f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
