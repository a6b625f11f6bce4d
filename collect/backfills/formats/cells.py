"""Cells of CSV, and the events in them.

A cell is text. Cells of some columns are JSON if they can be parsed as JSON; an empty cell is an absent field.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from collect.backfills.formats import exported, tables

# Cells of these columns are JSON if they can be parsed as JSON. Cells of all others are text, even digits.
LITERALS = {"timestamp", "received_at", "is_test", "tag_derived", "geo_lat", "geo_lon", "ua_is_bot", *exported.JSON}
# Beginnings that a spreadsheet takes for a formula (OWASP, CSV injection), and the quote that we put before them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")

_encode = msgspec.json.encode


class FromCsv:
    """Turns rows of cells into JSON.

    Raises ValueError for a header without `event_name`, with an empty or repeated name, or with both `params` and
    `params.x`.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._names = [name.strip() for name in header]
        if not all(self._names):
            raise ValueError("a column has no name")
        tables.check_names(self._names)
        # In our own exports a text that looks like a formula has a quote in front.
        self._is_export = tables.is_export(self._names)

    def __call__(self, cells: Sequence[str]) -> bytes:
        """Return the row as a JSON object. Raises ValueError for a row of another width, or one that is not UTF-8."""
        if len(cells) != len(self._names):
            raise ValueError(f"{len(cells)} cells, where the first line names {len(self._names)} columns")
        return tables.as_object(
            (name, self._value(name, cell)) for name, cell in zip(self._names, cells, strict=True) if cell != ""
        )

    def _value(self, name: str, cell: str) -> bytes:
        if name in LITERALS or name.partition(".")[0] in tables.NESTED:
            return tables.literal(cell)
        return _encode(cell.removeprefix("'") if self._is_export else cell)


def to_csv(event: Any) -> list[str]:
    """Return the cells of an exported event, in the order of `exported.FIELDS`."""
    return [_cell(getattr(event, name)) for name in exported.FIELDS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if not value or value.startswith(_FORMULA) else value
    return bytes(value).decode() if isinstance(value, Raw) else _encode(value).decode().strip('"')
