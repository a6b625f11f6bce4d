"""The pieces of a JSON array or object, cut apart by their commas without a look at what is in them.

A decoder gives up the whole text for one bad character or one deep value. Here only strings and brackets count, so a
piece with a fault in it leaves the others whole.
"""

import re
from collections.abc import Iterator

from runtime.hub import taking_turns

# A body of a few kilobytes may unpack to millions of brackets. So many are looked at, a second of work at most, and so
# many between two looks at the clock. Two thousand events of a hundred brackets each are taken apart.
_MAX_STEPS, _STEP = 400_000, 500
# Everything is possessive and each byte is looked at twice at most: the work is linear on any bytes.
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
# An array or object with no other one in it is skipped in C, as are strings: what is left are few steps in Python.
_FLAT = rb'[\[{](?:[^][{}"]++|' + _STRING + rb")*+[\]}]"
_MARK = rb"([\[{]++|[\]}]++"
_INSIDE = re.compile(rb'(?:[^][{}"]++|' + _STRING + rb"|" + _FLAT + rb")*+" + _MARK + rb")", re.DOTALL)
_BETWEEN = re.compile(rb'(?:[^][{},"]++|' + _STRING + rb"|" + _FLAT + rb")*+" + _MARK + rb"|,)", re.DOTALL)
_CLOSING = {b"[": b"]", b"{": b"}"}
_MEMBER = re.compile(rb"\s*+(" + _STRING + rb")\s*+:", re.DOTALL)


def pieces(text: bytes) -> Iterator[bytes]:
    """Yield the items of the array, or the members of the object, that `text` is. An empty one has one blank piece.

    Raises ValueError where `text` ends too early, goes on after its last bracket, or has very many of them.
    """
    begin = at = depth = 1
    for _ in taking_turns(range(_MAX_STEPS), _STEP):
        if (match := (_BETWEEN if depth == 1 else _INSIDE).match(text, at)) is None:
            break
        at, mark = match.end(), match[1]
        if mark == b",":
            yield text[begin : at - 1]
            begin = at
        elif mark[:1] in _CLOSING:
            depth += len(mark)
        elif len(mark) < depth:
            depth -= len(mark)
        else:
            end = at - len(mark) + depth - 1
            yield text[begin:end]
            if text[end:].strip() != _CLOSING[text[:1]]:
                break
            return
    raise ValueError("no closed array or object")


def member(text: bytes, name: bytes) -> bytes | None:
    """Return the value of the member `name` of the object that `text` is, the last one if it stands there twice.

    Raises ValueError for what is no object.
    """
    found = None
    for piece in pieces(text):
        if (key := _MEMBER.match(piece)) is None:
            raise ValueError("no name and value")
        if key[1] == b'"' + name + b'"':
            found = piece[key.end() :]
    return found
