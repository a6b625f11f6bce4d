"""What documents of JSON have in common: every path in them, with types, examples and bounds, in bounded memory.

What is told of documents does not depend on their order, unless they have more paths than are followed.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zlib import crc32

# Paths that are followed, the first ones; the longest of them, in characters; and how many others are told apart.
MOST_PATHS, LONGEST_PATH, MOST_OTHERS = 500, 255, 10_000
EXAMPLES, LONGEST_EXAMPLE = 3, 40

OBJECT, ARRAY, TEXT, NUMBER, BOOLEAN, NULL = TYPES = ("object", "array", "string", "number", "boolean", "null")
_ELEMENTS = "[]"
_PLAIN_KEY = re.compile(r'[^."\[\]]+')
# Numbers beyond are written with an exponent: a billion digits would tell nothing.
_MOST_ZEROS = 30


@dataclass(slots=True)
class Path:
    """What is known of one path. Examples are a fixed sample of the distinct values, as JSON."""

    # Documents that have another value than null there.
    documents: int = 0
    types: Counter[str] = field(default_factory=Counter)
    least: Decimal | int | None = None
    largest: Decimal | int | None = None
    longest: int | None = None
    _last: int = 0
    _sample: dict[str, int] = field(default_factory=dict)
    # No value of this rank or a higher one can become an example.
    _bound: float = math.inf

    @property
    def examples(self) -> list[str]:
        """Up to three of the values, cut, in the order of their texts."""
        return sorted(self._sample)

    def add(self, value: Any, document: int) -> str:
        """Count a value that the document of this number has there, and return its type."""
        kind = type_of(value)
        self.types[kind] += 1
        if kind != NULL and self._last != document:
            self._last = document
            self.documents += 1
        if kind == NUMBER:
            self.least = value if self.least is None else min(self.least, value)
            self.largest = value if self.largest is None else max(self.largest, value)
        elif kind == TEXT:
            self.longest = max(self.longest or 0, len(value))
        if kind not in (OBJECT, ARRAY, NULL) and (rank := _rank(value)) < self._bound:
            self._show(_example(value), rank)
        return kind

    def _show(self, text: str, rank: int) -> None:
        """Keep the examples of the smallest ranks: the same ones, whatever order the values come in."""
        self._sample[text] = min(rank, self._sample.get(text, rank))
        if len(self._sample) > EXAMPLES:
            del self._sample[max(self._sample, key=lambda shown: (self._sample[shown], shown))]
        if len(self._sample) == EXAMPLES:
            self._bound = max(self._sample.values())


@dataclass(slots=True)
class Shape:
    """All that is known of the documents that were added."""

    documents: int = 0
    paths: dict[str, Path] = field(default_factory=dict)
    # Values at paths that are not followed, and what tells these paths apart.
    values_left_out: int = 0
    _others: set[int] = field(default_factory=set)

    @property
    def paths_left_out(self) -> int:
        """How many paths are not followed; `MOST_OTHERS` stands for so many or more."""
        return len(self._others)

    def add(self, document: dict[str, Any]) -> None:
        """Look at a document, an object of JSON whose numbers are int and Decimal."""
        self.documents += 1
        self._object(document, "")

    def _object(self, found: dict[str, Any], prefix: str) -> None:
        for key, value in found.items():
            self._value(value, prefix + (key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)))

    def _value(self, value: Any, name: str) -> None:
        path = self.paths.get(name)
        if path is None:
            if len(self.paths) >= MOST_PATHS or len(name) > LONGEST_PATH:
                self._leave_out(name)
                return
            path = self.paths[name] = Path()
        kind = path.add(value, self.documents)
        if kind == OBJECT:
            self._object(value, f"{name}.")
        elif kind == ARRAY:
            for element in value:
                self._value(element, name + _ELEMENTS)

    def _leave_out(self, name: str) -> None:
        self.values_left_out += 1
        if len(self._others) < MOST_OTHERS:
            self._others.add(hash(name))


def type_of(value: Any) -> str:
    """Return the JSON type of a value whose numbers are int and Decimal."""
    return _TYPES[type(value)]


_TYPES: dict[type, str] = {
    str: TEXT,
    bool: BOOLEAN,
    int: NUMBER,
    Decimal: NUMBER,
    dict: OBJECT,
    list: ARRAY,
    type(None): NULL,
}


def _rank(value: Any) -> int:
    """Return a number by chance that equal values have in common, and texts that begin alike. In every process."""
    if isinstance(value, str):
        return crc32(value[: LONGEST_EXAMPLE + 1].encode("utf-8", "surrogatepass"))
    return crc32(hash(value).to_bytes(8, "little", signed=True))


def _example(value: Any) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return cut(number(value))
    # Of a long text the beginning alone is looked at.
    return cut(json.dumps(value[: LONGEST_EXAMPLE + 1] if isinstance(value, str) else value, ensure_ascii=False))


def cut(text: str) -> str:
    """Return the text, cut to the length of an example."""
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[: LONGEST_EXAMPLE - 1]}…"


def number(value: Decimal | int) -> str:
    """Return the number with all its digits, the same for equal numbers: `58`, for 58.00 too."""
    sign, digits, exponent = Decimal(value).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    zeros = len(text) - len(text := text.rstrip("0"))
    power = int(exponent) + zeros
    if not text:
        return "0"
    minus = "-" if sign else ""
    if power > _MOST_ZEROS or len(text) + power < -_MOST_ZEROS:
        rest = f".{text[1:]}" if text[1:] else ""
        return f"{minus}{text[0]}{rest}E{len(text) + power - 1:+d}"
    return minus + format(Decimal((0, tuple(map(int, text)), power)), "f")


def paths(shape: Shape) -> Iterator[tuple[str, Path]]:
    """Yield the paths in the order of their names."""
    yield from sorted(shape.paths.items())
