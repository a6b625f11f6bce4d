"""What a page says of a chart: its numbers, their names and where each leads; templatetags/charts.py draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runtime import display


def _own(href: str) -> str:
    """Return the address if it is one of this server; ValueError for any other."""
    if href and (href[0] not in "/?" or href.startswith(("//", "/\\"))):
        raise ValueError(f"a chart links to this server alone, not to {href!r}")
    return href


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart: its key in the values of a point, its name for people, and its class in charts.css.

    `href` leads to all that the series counts in the range of the chart; empty where there is no such list.
    """

    name: str
    label: str
    css: str
    href: str = ""

    def __post_init__(self) -> None:
        """Refuse an address elsewhere."""
        _own(self.href)


# What became of a sender's events, in the order in which they are stacked: what is well is at the bottom.
OUTCOMES = tuple(
    Series(name, name.replace("_", " "), f"chart-{name}")
    for name in ("stored", "duplicate", "conflict", "spooled", "rejected", "rate_limited", "unavailable")
)
# For a chart with one colour, and for what it is compared with.
PLAIN, EARLIER = "chart-plain", "chart-earlier"


@dataclass(frozen=True, slots=True)
class Point:
    """One bar: the values from `start` until before `end` by the name of their series, and the list behind them."""

    start: datetime
    end: datetime
    href: str
    values: Mapping[str, float]
    # What the bar is called, and what stands below it, where it is no range of UTC: a day of another time zone.
    name: str = ""
    tick: str = ""

    def __post_init__(self) -> None:
        """Refuse an address elsewhere, and a value below zero, which no bar shows."""
        _own(self.href)
        if any(value < 0 for value in self.values.values()):
            raise ValueError(f"a bar shows no value below zero: {dict(self.values)}")

    @property
    def span(self) -> str:
        """The range written out."""
        return self.name or display.span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars over time, oldest first; readable up to about 120 of them.

    `title` says what is shown, and `unit` what is counted, in the plural. Values of a point that no series names are
    not shown.
    """

    title: str
    series: Sequence[Series]
    points: Sequence[Point]
    unit: str = "events"
    # The range of all bars, where they have names.
    name: str = ""

    def total(self, series: Series) -> float:
        """Return the sum of the series."""
        return sum(point.values.get(series.name, 0) for point in self.points)

    @property
    def span(self) -> str:
        """The range from the first to the last bar written out; empty without bars."""
        if not self.points:
            return self.name
        return self.name or display.span(self.points[0].start, self.points[-1].end)


@dataclass(frozen=True, slots=True)
class Line:
    """A sparkline: a few values at equal distances, oldest first, and what they are."""

    title: str
    values: Sequence[float]
    unit: str = "events"


@dataclass(frozen=True, slots=True)
class Share:
    """One row of a top list. `href` is empty where no list is behind it."""

    name: str
    count: float
    href: str = ""
    css: str = PLAIN

    def __post_init__(self) -> None:
        """Refuse an address elsewhere."""
        _own(self.href)


@dataclass(frozen=True, slots=True)
class Shares:
    """A top list. `total` is what the shares are of, so that a row for the rest is shown; None: the sum of the rows."""

    title: str
    rows: Sequence[Share] = field(default_factory=tuple)
    total: float | None = None
    unit: str = "events"
