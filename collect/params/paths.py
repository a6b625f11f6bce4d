"""Where a value stands in `params`: the keys and the places in arrays that lead to it."""

import re
from collections.abc import Sequence
from typing import Any

# What no key and no text of an event has: the server stores U+FFFD in the place of both (contract, section 3).
_NEVER_STORED = re.compile("[\0\ud800-\udfff]")
# Places in an array, as JSON's own tools write them. `01` and `-1` are keys of an object and nothing else.
_PLACE = re.compile(r"0|[1-9][0-9]*")

Path = str | Sequence[str | int]


class BadQuery(ValueError):  # noqa: N818  # said to a person, who made no error of ours
    """A query's argument is none that could be meant: the text begins with the argument's name."""


def parts_of(path: Path) -> tuple[str, ...]:
    """Return the parts of `value`, `items.0.sku` or `("a.b", "c")`. Raises `BadQuery` for what is no path."""
    parts: Sequence[Any] = path.split(".") if isinstance(path, str) else path
    if not isinstance(parts, list | tuple) or not parts:
        raise BadQuery(f"path: {path!r} is none; write 'value', 'items.0.sku' or, for keys with dots, ('a.b', 'c')")
    if isinstance(path, str) and "" in parts:
        raise BadQuery(f"path: {path!r} has an empty part; write keys with dots in them as ('a.b', 'c')")
    return tuple(_part(part) for part in parts)


def _part(part: Any) -> str:
    if isinstance(part, int) and not isinstance(part, bool) and part >= 0:
        return str(part)
    if not isinstance(part, str):
        raise BadQuery(f"path: {part!r} is neither a key nor a place in an array")
    check_text("path", part)
    return part


def is_place(part: str) -> bool:
    """Return whether the part may be a place in an array; it may be a key, too."""
    return _PLACE.fullmatch(part) is not None


def check_text(name: str, text: str) -> None:
    """Raise `BadQuery`, which begins with `name`, for a text that no event has."""
    if _NEVER_STORED.search(text):
        raise BadQuery(f"{name}: no event has U+0000 or half a surrogate pair in a text; U+FFFD is stored instead")
