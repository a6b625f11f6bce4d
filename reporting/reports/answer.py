"""The form of every answer of a report: a terminal, a page, a file and JSON show the same one.

An answer says everything that it depends on, and has what it left out as lines of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What the values of a column are. None stands for "unknown" in each."""

    TEXT = "text"
    # A whole number of something, as an int.
    COUNT = "count"
    # An exact Decimal: money in the currency that another column of the row names, or parts of conversions.
    AMOUNT = "amount"
    # A part of a whole, as a float from 0 to 1.
    SHARE = "share"
    # An aware datetime.
    MOMENT = "moment"

    @property
    def is_number(self) -> bool:
        """Whether the values can be compared by their size."""
        return self in (Kind.COUNT, Kind.AMOUNT, Kind.SHARE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its stable name in files, its label for people, and a sentence that says what it is."""

    name: str
    kind: Kind
    sentence: str

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an answer; each row has a value for each column."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    # What the reader has to know of this table, in sentences.
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a report found. `stated` names all that it depends on: the range, the time zone, a window, a denominator."""

    report: str
    title: str
    stated: Mapping[str, str]
    # The first one is the answer; the others say what it is made of and what is not in it.
    tables: Sequence[Table]
    notes: Sequence[str] = field(default_factory=tuple)
