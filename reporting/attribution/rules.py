"""The rules of attribution: which touches are candidates, in which order they stand, and how much each model gives.

The order is that of "fill a histogram with last-n-touch attribution" in W3C's Attribution Level 1 (section
"Last-N-Touch Attribution", https://www.w3.org/TR/attribution/#last-n-touch-attribution): by priority, then the latest
first. The windows are as its "Common Impression Matching Logic" has the lookback: a gap of the whole window is in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from reporting.attribution.journey import Touch
from reporting.views.columns import CLICK


class Model(StrEnum):
    """How the credit of a conversion is divided among its candidates."""

    LAST = "last"
    FIRST = "first"
    LINEAR = "linear"
    POSITION = "position"


IN_WORDS = {
    Model.LAST: "all to the latest click, without a click to the latest view",
    Model.FIRST: "all to the earliest click, without a click to the earliest view",
    Model.LINEAR: "the same to every click and view",
    Model.POSITION: (
        "40 % to the touch of model last, 40 % to that of model first among the others, 20 % to the rest; of two, half "
        "each"
    ),
}


class Verdict(StrEnum):
    """What the rules say of a touch, before any model divides credit."""

    CANDIDATE = "candidate"
    OUTSIDE = "outside the window"
    AFTER = "after the conversion"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a person may choose."""

    model: Model = Model.LAST
    click_window: timedelta = timedelta(days=30)
    view_window: timedelta = timedelta(days=1)

    def window(self, kind: str) -> timedelta:
        """Return how long before a conversion a touch of this kind may be."""
        return self.click_window if kind == CLICK else self.view_window

    @property
    def longest(self) -> timedelta:
        """The longer of the two windows."""
        return max(self.click_window, self.view_window)

    def verdict(self, touch: Touch) -> Verdict:
        """Return whether the touch is a candidate, or why it is none."""
        if touch.gap < timedelta(0):
            return Verdict.AFTER
        return Verdict.OUTSIDE if touch.gap > self.window(touch.by.kind) else Verdict.CANDIDATE


def priority(touch: Touch) -> int:
    """Return the place of the touch's kind: a click comes before a view."""
    return 0 if touch.by.kind == CLICK else 1


def _latest(touch: Touch) -> tuple[int, timedelta, datetime, UUID]:
    return priority(touch), touch.gap, touch.by.received_at, touch.by.id


def _earliest(touch: Touch) -> tuple[int, timedelta, datetime, UUID]:
    return priority(touch), -touch.gap, touch.by.received_at, touch.by.id


def ordered(candidates: Iterable[Touch]) -> list[Touch]:
    """Return the candidates by priority, then the latest first; of two at one moment, the first received."""
    return sorted(candidates, key=_latest)


def opening(order: Sequence[Touch]) -> Touch:
    """Return the touch that model `first` chooses: by priority, then the earliest."""
    return min(order, key=_earliest)


def weights(model: Model, order: Sequence[Touch]) -> list[int]:
    """Return the part of each touch of a non-empty order, as whole numbers: each gets its number of their sum."""
    if model is Model.LAST:
        return [1] + [0] * (len(order) - 1)
    if model is Model.FIRST:
        chosen = opening(order)
        return [int(touch is chosen) for touch in order]
    if model is Model.POSITION and len(order) > 2:
        # Of 5 (n - 2) parts two fifths go to each end, and one to each of the n - 2 others.
        ends = (order[0], opening(order[1:]))
        return [2 * (len(order) - 2) if touch in ends else 1 for touch in order]
    return [1] * len(order)
