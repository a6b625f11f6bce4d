"""Records as rows of a table, of CSV or Parquet.

A table has no absent fields and no nesting: an empty cell is an absent field, and the column `params.x` is the key `x`
of `params`.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from msgspec import Raw

from collect.backfills.formats import exported, past
from collect.intake import contract

# Columns that are no text.
BOOLEANS = ("is_test", "tag_derived", "ua_is_bot")
NUMBERS = ("geo_lat", "geo_lon")
NESTED = ("params", "consent")
_INNER = tuple(f"{name}." for name in NESTED)


def check_names(names: Sequence[str]) -> None:
    """Raise ValueError for names of columns of which no events can be made."""
    check_once(names)
    if "event_name" not in names:
        raise ValueError(f"there is no event_name among the columns {', '.join(names[:10])}"[:300])
    if both := {name.partition(".")[0] for name in names if name.startswith(_INNER)} & set(names):
        raise ValueError(f"{', '.join(sorted(both))} stands beside columns of its keys")


def check_once(names: Sequence[str]) -> None:
    """Raise ValueError for a name that two columns have."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))} twice")


def is_export(names: Sequence[str]) -> bool:
    """Tell whether a table with these columns was exported by us."""
    return {"id", "partner", *exported.JSON} <= set(names)


def as_object(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the JSON object of columns and their values, each of which is JSON."""
    fields: dict[str, Raw] = {}
    nested: dict[str, dict[str, Raw]] = {}
    for name, value in pairs:
        outer, _, inner = name.partition(".")
        if inner and outer in NESTED:
            nested.setdefault(outer, {})[inner] = Raw(value)
        else:
            fields[name] = Raw(value)
    return msgspec.json.encode(fields | {name: Raw(msgspec.json.encode(keys)) for name, keys in nested.items()})


def literal(cell: str) -> bytes:
    """Return the cell as it is if it is JSON, else as a JSON string."""
    raw = cell.encode()
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(cell)
    return raw if raw == raw.strip() else msgspec.json.encode(cell)


def boolean(cell: str) -> bytes:
    """Return the JSON of a cell that is true or false in any usual spelling; of another one, its text."""
    return _BOOLEANS.get(cell.strip().lower()) or literal(cell)


def moment(cell: str, name: str, *, is_exported: bool) -> bytes:
    """Return the JSON of a cell of the column `name` with a moment in any usual spelling; without a zone it is UTC.

    It becomes a text, or Unix seconds for the timestamp of a sent event. Of any other cell, a number stays one, but in
    an exported event, which has none: a spreadsheet's number of days is no number of seconds.
    """
    if cell.isdecimal() and cell.isascii() and not is_exported:
        return number(cell)
    if is_exported and _AS_EXPORTED.fullmatch(cell):
        return msgspec.json.encode(cell)
    try:
        found = past.utc(past.spelled(cell, UTC))
    except ValueError:
        return msgspec.json.encode(cell) if is_exported else number(cell)
    if is_exported or name == "received_at":
        return msgspec.json.encode(found)
    return seconds((found - _EPOCH) // timedelta(microseconds=1), 6)


def number(cell: str) -> bytes:
    """Return the JSON of a cell with a number, which may have a decimal comma."""
    return literal(cell.replace(",", ".") if "," in cell and _DECIMAL_COMMA.fullmatch(cell) else cell)


def seconds(value: int, digits: int) -> bytes:
    """Return fractions of a second, 10 to the power of `digits` of which make one, as JSON of Unix seconds."""
    # What is large is taken for milliseconds, which the seconds of a year after 5138 would be.
    is_large = value >= contract.MILLISECONDS_FROM * 10**digits
    return decimal(value * 1000 if is_large else value, digits).encode()


def decimal(value: int, digits: int) -> str:
    """Return an integer with its last `digits` digits behind the point, without zeros at the end."""
    whole = Decimal(value).scaleb(-digits)
    return f"{whole:f}".rstrip("0").rstrip(".") if digits and value else str(value)


_BOOLEANS = {"true": b"true", "t": b"true", "yes": b"true", "1": b"true",
             "false": b"false", "f": b"false", "no": b"false", "0": b"false"}  # fmt: skip
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_AS_EXPORTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
