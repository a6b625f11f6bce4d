"""JSON as people read it: indented where that keeps it short, and cut where a page would be too long.

Indentation multiplies: 64 KiB that are nested 900 deep become 59 MB. So nothing is indented that would be long then.
"""

import re
from typing import NamedTuple

import msgspec

# Bytes up to which JSON is indented, and characters that a page shows of a text.
SHOWN = 256 * 1024

_STEP = 2
# Texts, which are passed over, and what begins or ends a line. In JSON that was read every text has its end.
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]', re.DOTALL)


class Cut(NamedTuple):
    """The text that a page shows, and whether it is only the beginning."""

    text: str
    is_cut: bool


def indented(body: bytes) -> str:
    """Return JSON indented, or in one line if it would have more than `SHOWN` bytes; as it is if it is no JSON.

    Each number stays as it was sent.
    """
    try:
        compact = msgspec.json.format(body, indent=-1)
        is_short = len(compact) <= SHOWN and _stays_within(compact, SHOWN - len(compact))
        return (msgspec.json.format(compact, indent=_STEP) if is_short else compact).decode()
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return body.decode(errors="replace")


def _stays_within(compact: bytes, room: int) -> bool:
    """Tell whether white space of `room` bytes would be enough to indent it. No more of it is read than tells."""
    depth = 0
    for found in _MARK.finditer(compact):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        elif mark not in (b",", b":"):
            continue
        room -= 1 if mark == b":" else 1 + _STEP * depth
        if room < 0:
            return False
    return True


def cut(text: str) -> Cut:
    """Return as much of the text as a page shows."""
    return Cut(text[:SHOWN], len(text) > SHOWN)
