"""Cells of CSV, and the events in them, also where a spreadsheet or a database has spelled them in its own way.

A cell is text, but in the columns of `_READERS`, in moments, and in `params.x` and `consent.x`.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from collect.backfills.formats import exported, past, tables

# Cells that say that there is nothing, as PostgreSQL, MySQL and data frames write them. An empty cell always does.
_NULLS = ("\\N", "NULL", "null")
# A code such as 12E5. Programs that write numbers with an exponent write a point or a sign with it.
_CODE = re.compile(r"-?\d+[eE]\d+")
# Beginnings that a spreadsheet takes for a formula (OWASP, CSV injection), and the quote that we put before them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")

_encode = msgspec.json.encode


class FromCsv:
    """Turns rows of cells into JSON.

    A first column without a name, which data frames write, is left out. Raises ValueError for a header without
    `event_name`, with a repeated name, or with both `params` and `params.x`.
    """

    def __init__(self, header: Sequence[str]) -> None:
        names = [name.strip() for name in header]
        tables.check_names([name for name in names if name])
        # In our own exports a text that looks like a formula has a quote in front.
        self._is_export = tables.is_export(names)
        self._columns = [self._column(name) for name in names]
        self._unnamed = [place for place, name in enumerate(names) if not name]

    def __call__(self, cells: Sequence[str]) -> bytes:
        """Return the row as a JSON object. Raises ValueError for a row of another width, or one that is not UTF-8."""
        if len(cells) != len(self._columns):
            raise ValueError(f"{len(cells)} cells, where the first line names {len(self._columns)} columns")
        if lost := [place + 1 for place in self._unnamed if place and cells[place]]:
            raise ValueError(f"there is a cell in column {lost[0]}, which has no name")
        return tables.as_object(
            (name, read(cell))
            for (name, read, nulls), cell in zip(self._columns, cells, strict=True)
            if name and cell not in nulls
        )

    def _column(self, name: str) -> "tuple[str, Callable[[str], bytes], tuple[str, ...]]":
        """Return the name, what makes JSON of a cell, and the cells that say that there is nothing."""
        if (read := _READERS.get(name)) is not None:
            return name, read, ("", *_NULLS)
        if name in exported.MOMENTS:
            moment = partial(tables.moment, name=name, is_exported=self._is_export)
            return name, moment, ("", *_NULLS)
        if self._is_export:
            # Here an absent text is an empty cell, and whatever else a cell says was sent.
            return name, lambda cell: _encode(cell.removeprefix("'")), ("",)
        if name.partition(".")[0] in tables.NESTED:
            return name, _free, ("",)
        return name, _encode, ("", *_NULLS) if name in _OURS else ("",)


class FromAnyCsv:
    """Turns rows of cells into JSON, whatever their columns are: each cell is a text, and an empty one is null.

    Raises ValueError for a header with a repeated name.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._names = [name.strip() for name in header]
        tables.check_once([name for name in self._names if name])

    def __call__(self, cells: Sequence[str]) -> bytes:
        """Return the row as a JSON object. Raises ValueError for a row of another width, or one that is not UTF-8."""
        if len(cells) != len(self._names):
            raise ValueError(f"{len(cells)} cells, where the first line names {len(self._names)} columns")
        return _encode({name: cell or None for name, cell in zip(self._names, cells, strict=True) if name})


def _free(cell: str) -> bytes:
    may_be_code = "E" in cell or "e" in cell
    return _encode(cell) if may_be_code and _CODE.fullmatch(cell) else tables.literal(cell)


_READERS: dict[str, Callable[[str], bytes]] = {
    **dict.fromkeys(tables.BOOLEANS, tables.boolean),
    **dict.fromkeys(tables.NUMBERS, tables.number),
    **dict.fromkeys(exported.JSON, tables.literal),
}
_OURS = {field.name for field in msgspec.structs.fields(past.PastEvent)}


def to_csv(event: Any) -> list[str]:
    """Return the cells of an exported event, in the order of `exported.FIELDS`."""
    return [_cell(getattr(event, name)) for name in exported.FIELDS]


def guarded(text: str) -> str:
    """Return the cell of a text: with a quote in front where a spreadsheet would take it for a formula or for nothing.

    `FromCsv` takes the quote away again. An empty cell is left to what is absent.
    """
    return f"'{text}" if not text or text.startswith(_FORMULA) else text


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    return bytes(value).decode() if isinstance(value, Raw) else _encode(value).decode().strip('"')
