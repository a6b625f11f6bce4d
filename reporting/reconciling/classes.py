"""Which class a line of the file, and an id that is stored, belongs to. Each belongs to exactly one.

Pure functions: no file, no database. Where a line stands in the file decides nothing but which of equal lines is
called the first.
"""

from dataclasses import dataclass
from enum import StrEnum

from reporting.reconciling.money import smallest


class OfLine(StrEnum):
    """What became of a line of the file."""

    AGREES = "agrees"
    DIFFERENT = "different"
    MISSING = "missing"
    # It repeats a line before it, and says the same.
    DOUBLED_EQUAL = "doubled_equal"
    # Another line of the same id has another amount or currency: which one holds, the file does not say.
    DOUBLED_DIFFERENT = "doubled_different"
    UNREADABLE = "unreadable"


class OfStored(StrEnum):
    """What is stored, in the range, and in no line of the file."""

    ONLY_HERE = "only_here"
    # There is no id by which a line could name it.
    WITHOUT_ID = "without_id"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in ten-thousandths and its currency; both None where there is none. `issue` says why it is none."""

    amount: int | None = None
    currency: str | None = None
    issue: str | None = None


NOTHING = Money()


@dataclass(frozen=True, slots=True)
class Among:
    """A line among the lines of its id: whether it is the first, and how many amounts they have."""

    is_first: bool = True
    amounts: int = 1


def class_of(line: Money, among: Among, here: Money | None, tolerance: int | None) -> OfLine:
    """Return the class of a readable line. `here` is what is stored first under its id; None: nothing is.

    `tolerance` is in smallest units of the currency; None where the file has no amounts to compare.
    """
    if among.amounts > 1:
        return OfLine.DOUBLED_DIFFERENT
    if not among.is_first:
        return OfLine.DOUBLED_EQUAL
    if here is None:
        return OfLine.MISSING
    return OfLine.AGREES if tolerance is None or agree(line, here, tolerance) else OfLine.DIFFERENT


def agree(line: Money, here: Money, tolerance: int) -> bool:
    """Tell whether the amounts are in one currency and no further apart than the tolerance, or both are missing."""
    if line.amount is None or here.amount is None:
        return line.amount is None and here.amount is None and here.issue is None
    if line.currency is None or line.currency != here.currency:
        return False
    return abs(line.amount - here.amount) <= smallest(tolerance, line.currency)


def why_different(line: Money, here: Money) -> str:
    """Return in words what differs."""
    if here.issue is not None:
        return f"the stored value does not count: {here.issue}"
    if here.amount is None:
        return "no value is stored"
    if line.amount is None:
        return "the file has no amount"
    both = (("amount", line.amount != here.amount), ("currency", line.currency != here.currency))
    return " and ".join(name for name, differs in both if differs)


def counted(rows: int, event_ids: int, without_id: int, *, once: bool) -> int:
    """Return how often reports count `rows` events of one id, of which some have no event_id."""
    return event_ids + without_id if once else rows
