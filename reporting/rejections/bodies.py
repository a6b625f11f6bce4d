"""Refused bodies as they may be passed on: masked, so that nothing personal is left in them."""

import json
import re
from itertools import pairwise
from typing import Any

# Characters of a masked body, and of a text in it.
MAX_MASKED, _MAX_TEXT = 4_000, 80
# Names of fields are words of a program; anything else may be a person's.
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$-]{0,63}")
_WORD = re.compile(r"[a-z_]{1,64}")
# What stands in a body that is no JSON, or in one that only looks like it.
_LITERALS = re.compile(r"\b(?:true|false|null|None|True|False|NaN|Infinity|undefined)\b")
_NESTED = 12


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def masked(body: bytes) -> str:
    """Return the body with letters as `x` and digits as `9`: texts and numbers keep their length, names of fields stay.

    `event_name` stays too if it is a plain word. What is no JSON is masked as text. It ends after `MAX_MASKED`.
    """
    try:
        value = json.loads(body, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
        text = _written(value, 0)
    except (ValueError, RecursionError):
        text = _as_text(body[:MAX_MASKED].decode(errors="replace"))
    return text if len(text) <= MAX_MASKED else f"{text[:MAX_MASKED]}…"


def _written(value: Any, depth: int) -> str:
    if isinstance(value, _Number):
        return _LITERALS.sub(lambda found: found[0], value) if value[-1].isalpha() else re.sub(r"\d", "9", value)
    if isinstance(value, str):
        return json.dumps(_plain(value), ensure_ascii=False)
    if isinstance(value, dict | list):
        return _nested(value, depth)
    return json.dumps(value)


def _nested(value: dict[str, Any] | list[Any], depth: int) -> str:
    if not value or depth == _NESTED:
        return ("{…}" if value else "{}") if isinstance(value, dict) else ("[…]" if value else "[]")
    begin, end = "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, dict):
        lines = [f"{_name(name)}: {_member(name, one, depth)}" for name, one in value.items()]
    else:
        lines = [_written(one, depth + 1) for one in value]
    inner = "  " * (depth + 1)
    return f"{begin}\n{inner}" + f",\n{inner}".join(lines) + f"\n{'  ' * depth}{end}"


def _member(name: str, value: Any, depth: int) -> str:
    if name == "event_name" and isinstance(value, str) and not isinstance(value, _Number) and _WORD.fullmatch(value):
        return json.dumps(value)
    return _written(value, depth + 1)


def _name(name: str) -> str:
    return json.dumps(name if _NAME.fullmatch(name) else _plain(name), ensure_ascii=False)


def _plain(text: str) -> str:
    more = f"… ({len(text)} characters)" if len(text) > _MAX_TEXT else ""
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", text[:_MAX_TEXT])) + more


def _as_text(text: str) -> str:
    """Mask what is no JSON: the literals that it may be refused for stay."""
    places = [0, *(place for found in _LITERALS.finditer(text) for place in found.span()), len(text)]
    parts = [text[begin:end] for begin, end in pairwise(places)]
    return "".join(part if number % 2 else _plain_whole(part) for number, part in enumerate(parts))


def _plain_whole(text: str) -> str:
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", text))
