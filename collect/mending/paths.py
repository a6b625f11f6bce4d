"""Paths into a JSON body, such as `params.items[].price`, and changes at them that leave every other byte alone.

Only the objects and arrays on the path are written anew. All other values keep their own bytes, every digit of a
number included.
"""

import re
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw

from collect.intake import contract
from runtime.refusals import Code, Refusal

MAX_LENGTH = 512
# Stands in a path for every element of an array.
EACH = None
Path = tuple[str | None, ...]
# What to put in the place of a value; None is "nothing there", before and after.
Change = Callable[[Raw | None], Raw | None]

_NAME = re.compile(r"(?:[^.\[\]\\]|\\.)+", re.DOTALL)
_object = msgspec.json.Decoder(dict[str, Raw]).decode
_array = msgspec.json.Decoder(list[Raw]).decode


def parse(text: str) -> Path:
    """Return the path that `text` spells: names with points between them, and `[]` for each element of an array.

    A backslash before a point, a bracket or a backslash makes it part of a name. Raises ValueError.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a path has {MAX_LENGTH} characters at most")
    path: list[str | None] = []
    at = 0
    while True:
        if (name := _NAME.match(text, at)) is None:
            raise ValueError(f"{text!r} is no path: write names with points between them, such as params.items[].price")
        path.append(re.sub(r"\\(.)", r"\1", name[0], flags=re.DOTALL))
        at = name.end()
        while text.startswith("[]", at):
            path.append(EACH)
            at += 2
        if at == len(text):
            return tuple(path)
        at += text[at] == "."


def spelled(path: Sequence[str | None]) -> str:
    """Return the text of the path, as `parse` reads it."""
    parts = ["[]" if name is EACH else "." + re.sub(r"([.\[\]\\])", r"\\\1", name) for name in path]
    return "".join(parts).removeprefix(".")


def found(value: Raw, path: Sequence[str | None]) -> Raw | None:
    """Return what is at a path of names alone, None if nothing is."""
    for name in path:
        fields = fields_of(value)
        if fields is None or name is EACH or name not in fields:
            return None
        value = fields[name]
    return value


def changed(value: Raw, path: Path, change: Change, *, makes_way: bool = False) -> Raw:
    """Return the value with `change` done to all that is at the path; the very same value if nothing changes.

    `change` is asked about a name that its object does not have, too. Where an object on the way is absent or null,
    nothing is done, unless with `makes_way` it is made. Raises `Refusal` (`too_large`) as soon as an array outgrows an
    event: a value that is put into each element, again and again, would fill the memory.
    """
    head, rest = path[0], path[1:]
    if head is EACH:
        return _in_array(value, rest, change, makes_way=makes_way)
    fields = fields_of(value)
    if fields is None:
        return value
    inner = fields.get(head)
    if not rest:
        new = change(inner)
    elif inner is None or (makes_way and bytes(inner) == b"null"):
        made = Raw(b"{}")
        new = changed(made, rest, change, makes_way=True) if makes_way else made
        new = inner if new is made else new
    else:
        new = changed(inner, rest, change, makes_way=makes_way)
    return value if new is inner else _with(fields, head, new)


def limit_of(value: bytes | Raw) -> int:
    """Return how many bytes may become of a value: an event's, or as many as it has if it came with more."""
    return max(contract.MAX_BODY_BYTES, len(bytes(value)))


def check_size(size: int, limit: int) -> None:
    """Raise `Refusal` (`too_large`) for more bytes than the limit."""
    if size > limit:
        raise Refusal(Code.TOO_LARGE, f"Mended it would have more than {limit} bytes")


def _in_array(value: Raw, rest: Path, change: Change, *, makes_way: bool) -> Raw:
    try:
        items = _array(value)
    except (msgspec.MsgspecError, RecursionError):
        return value
    new, size, limit = list[Raw | None](), 0, limit_of(value)
    for item in items:
        one = changed(item, rest, change, makes_way=makes_way) if rest else change(item)
        size += 0 if one is None else len(bytes(one)) + 1
        check_size(size, limit)
        new.append(one)
    if all(one is item for one, item in zip(new, items, strict=True)):
        return value
    return Raw(msgspec.json.encode([one for one in new if one is not None]))


def _with(fields: dict[str, Raw], name: str, value: Raw | None) -> Raw:
    if value is None:
        del fields[name]
    else:
        fields[name] = value
    return Raw(msgspec.json.encode(fields))


def fields_of(value: Raw) -> dict[str, Raw] | None:
    """Return the fields of an object, None of anything else. Of a name that is there twice, the last one counts."""
    try:
        return _object(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
