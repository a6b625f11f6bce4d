"""Adds up what conversions are attributed to, in whole numbers. Currencies never meet, and nothing is left out."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from reporting.attribution.attributing import Attribution, Credit, Reason
from reporting.attribution.credit import WHOLE
from reporting.attribution.options import Booked, Options
from reporting.attribution.rules import Verdict
from reporting.attribution.sources import SOURCES, Entry
from reporting.ranges import Range

# Why a credit and its conversion are not both in the range, if the date of the touch decides.
TOUCH_BEFORE = "touch before the range: not in the credit"
CONVERSION_AFTER = "conversion after the range: in the credit"
_DECIDES = {Reason.OUTSIDE: Verdict.OUTSIDE, Reason.AFTER: Verdict.AFTER}


@dataclass(slots=True)
class Sum:
    """How much of conversions and of their value: ten-thousandths of both."""

    shares_e4: int = 0
    value_e4: int = 0
    touches: int = 0
    # Of conversions without a candidate: how far the nearest touch was from being one.
    nearest: timedelta | None = None

    def add(self, share_e4: int, value_e4: int | None) -> None:
        """Add a part of a conversion."""
        self.shares_e4 += share_e4
        self.value_e4 += value_e4 or 0

    def see(self, distance: timedelta) -> None:
        """Remember the smallest distance."""
        self.nearest = distance if self.nearest is None else min(self.nearest, distance)


# What is listed by, then the currency; None for conversions without a value.
Sums = dict[tuple[str | None, ...], Sum]


def _sums() -> Sums:
    return defaultdict(Sum)


@dataclass(slots=True)
class Tally:
    """The sums of a report's range."""

    over: Range
    zone: tzinfo
    options: Options
    credits: Sums = field(default_factory=_sums)
    unattributed: Sums = field(default_factory=_sums)
    moved: Sums = field(default_factory=_sums)
    # Conversions of the range, by currency and by why their value is none.
    conversions: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    # Conversions of the range that have an id which is nobody's.
    shared: int = 0

    def add(self, found: Attribution) -> None:
        """Add what became of a conversion, as far as it is of the range."""
        conversion = found.conversion
        is_inside = self._has(conversion.timestamp)
        if is_inside:
            self.conversions[conversion.currency, conversion.value_issue] += 1
            self.shared += bool(conversion.shared)
            if found.reason is not None:
                self._leave(found, found.reason)
        for credit in found.credits:
            if credit.weight:
                self._book(found, credit, is_inside)

    def _has(self, moment: datetime) -> bool:
        return self.over.start <= moment < self.over.end

    def _leave(self, found: Attribution, reason: Reason) -> None:
        conversion = found.conversion
        line = self.unattributed[reason, conversion.currency]
        line.add(WHOLE, conversion.value_e4)
        if reason in _DECIDES:
            line.see(next(abs(touch.gap) for touch, verdict in found.lost if verdict is _DECIDES[reason]))

    def _book(self, found: Attribution, credit: Credit, is_inside: bool) -> None:
        conversion, touch = found.conversion, credit.touch
        moment = touch.by.timestamp if self.options.booked is Booked.TOUCH else conversion.timestamp
        is_booked = self._has(moment)
        if is_booked:
            entry = Entry(conversion, touch, moment.astimezone(self.zone).date())
            listed = (SOURCES[name].of(entry) for name in self.options.by)
            line = self.credits[*listed, conversion.currency]
            line.add(credit.share_e4, credit.value_e4)
            line.touches += 1
        if is_booked != is_inside:
            where = CONVERSION_AFTER if is_booked else TOUCH_BEFORE
            self.moved[where, conversion.currency].add(credit.share_e4, credit.value_e4)
