"""Columns of text below each other, in the cells of a terminal: how wide a text is, and how wide columns may be."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

GAP = 2
# A column of text is not made narrower than this, nor the first one wider than its part when a table is split.
LEAST_TEXT, PART_OF_FIRST = 12, 3


@lru_cache(maxsize=4096)
def width_of(text: str) -> int:
    """Return how many cells a terminal needs for the text: two for wide letters, none for marks on letters."""
    if text.isascii():
        return len(text)
    return sum(_cells(letter) for letter in text)


def _cells(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most `width` cells, broken between words, or within one that is longer."""
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width_of(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _cut(word, width)
        lines += full
    return [*lines, line]


def _cut(word: str, width: int) -> list[str]:
    """Return the parts of a word, each but the last as long as a line can be."""
    parts, start, reached = [], 0, 0
    for place, letter in enumerate(word):
        cells = _cells(letter)
        if reached + cells > width and place > start:
            parts.append(word[start:place])
            start, reached = place, 0
        reached += cells
    return [*parts, word[start:]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and cells, safe for a terminal; numbers stand at its right. Only texts are broken."""

    heading: str
    cells: Sequence[str]
    is_number: bool
    is_text: bool = False

    @property
    def natural(self) -> int:
        """The width at which nothing is broken."""
        return max(map(width_of, (self.heading, *self.cells)))

    @property
    def least(self) -> int:
        """The width below which it could not be read: that of its values and the longest word of its heading."""
        if self.is_text:
            return min(self.natural, LEAST_TEXT)
        return max(map(width_of, (*self.heading.split(" "), *self.cells)))

    def lines(self, text: str, width: int) -> list[str]:
        """Return a cell as lines of exactly `width` cells."""
        return [
            " " * (width - width_of(line)) + line if self.is_number else line + " " * (width - width_of(line))
            for line in wrapped(text, width)
        ]


def fitted(columns: Sequence[Column], width: int) -> list[int]:
    """Return the widths of columns that have `width` cells together, gaps included.

    The room that is left goes to those first that lack least: most columns are whole, and the longest is broken.
    """
    widths = [min(column.least, width) for column in columns]
    left = width - sum(widths) - GAP * (len(columns) - 1)
    for place in sorted(range(len(columns)), key=lambda place: columns[place].natural - widths[place]):
        more = max(0, min(left, columns[place].natural - widths[place]))
        widths[place] += more
        left -= more
    return widths


def bands(columns: Sequence[Column], width: int) -> list[list[Column]]:
    """Return the columns in groups that fit side by side, each of them begun by the first column."""
    first, *others = columns
    room = width - min(first.least, max(LEAST_TEXT, width // PART_OF_FIRST))
    found: list[list[Column]] = [[first]]
    left = room
    for column in others:
        needed = GAP + column.least
        if needed > left and len(found[-1]) > 1:
            found.append([first])
            left = room
        found[-1].append(column)
        left -= needed
    return found
