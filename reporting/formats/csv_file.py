"""One table as CSV (RFC 4180): exact values, and texts that no spreadsheet takes for a formula."""

import csv
import io
from datetime import tzinfo
from typing import Any

from collect.backfills.formats.cells import guarded
from reporting.formats import values
from reporting.formats.presentation import Presentation, one_table
from reporting.reports.answer import Answer, Kind


def render(answer: Answer, how: Presentation) -> bytes:
    """Return the table that is asked for, with the columns' names in the first line.

    Raises `BadQuestion` for a table that the answer does not have.
    """
    table = one_table(answer, how)
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow([guarded(column.name) for column in table.columns])
    kinds = [column.kind for column in table.columns]
    for row in table.rows:
        rows.writerow([_cell(kind, value, how.zone) for kind, value in zip(kinds, row, strict=True)])
    return text.getvalue().encode()


def _cell(kind: Kind, value: Any, zone: tzinfo) -> str:
    if value is None:
        return ""
    match kind:
        case Kind.TEXT:
            return guarded(str(value))
        case Kind.AMOUNT:
            return values.plain(value)
        case Kind.MOMENT:
            return values.iso(value, zone)
        case _:
            return str(value)
