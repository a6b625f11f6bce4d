"""Records as rows of a table, of CSV or Parquet.

A table has no absent fields and no nesting: an empty cell is an absent field, and the column `params.x` is the key `x`
of `params`.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from collect.backfills.formats import exported

NESTED = ("params", "consent")
_INNER = tuple(f"{name}." for name in NESTED)


def check_names(names: Sequence[str]) -> None:
    """Raise ValueError for names of columns of which no events can be made."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))} twice")
    if "event_name" not in names:
        raise ValueError("there is no event_name")
    if both := {name.partition(".")[0] for name in names if name.startswith(_INNER)} & set(names):
        raise ValueError(f"{', '.join(sorted(both))} stands beside columns of its keys")


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
