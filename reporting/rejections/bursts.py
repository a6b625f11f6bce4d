"""When the present burst of a series of counts began: to the minute, and to the moment where single ones are known.

The series is cut where its rate changed (binary segmentation by likelihood, of counts that are Poisson's or, from
senders that send many at a time, more uneven). A burst begins where a rate follows one that was far lower for a while.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import log
from statistics import median

# A cut has to make the counts more likely by so much: a change by chance does that once in twenty thousand series.
_CUT_FROM = 10.0
_MAX_CUTS = 40
# A burst has at least so many times the rate before it, which lasted at least so many minutes.
_RISE = 4.0
_QUIET_MINUTES = 15
# A pause of a series that has no other rate is longer by this factor than what usually lies between two counts.
_LONGER = 15


@dataclass(frozen=True, slots=True)
class Point:
    """How many came in the `minutes` from `start` on, and when the first of them did."""

    start: datetime
    minutes: int
    first_seen: datetime
    count: int

    @property
    def end(self) -> datetime:
        """The moment at which the point's time is over."""
        return self.start + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Burst:
    """When a burst began, how many came since and in which time, and how many a second came before."""

    onset: datetime
    count: int
    length: timedelta
    rate_before: float

    @property
    def rate(self) -> float:
        """How many a second came."""
        return self.count / self.length.total_seconds()

    @property
    def weight(self) -> float:
        """How many a second came, by which bursts are compared: of a few minutes it says little."""
        return self.count / max(self.length, timedelta(minutes=_QUIET_MINUTES)).total_seconds()


@dataclass(frozen=True, slots=True)
class _Part:
    start: datetime
    end: datetime
    count: int

    @property
    def rate(self) -> float:
        return self.count / (self.end - self.start).total_seconds()


def since_birth(points: Sequence[Point]) -> Burst:
    """Return the present burst of the points, which are sorted and not empty, where only a pause ends a burst.

    So it is for what never was good: whatever the rate, it is faulty.
    """
    gaps = [(after.start - before.end).total_seconds() for before, after in pairwise(points)]
    # Visitors come one by one, and each sends several events: most gaps lie within a visit, the long ones between two.
    between = sorted(gaps)[9 * (len(gaps) - 1) // 10] if gaps else 0.0
    pause = max(60.0 * _QUIET_MINUTES, _LONGER * median(gaps), _LONGER / 3 * between) if gaps else 0.0
    first = next((number + 1 for number in reversed(range(len(gaps))) if gaps[number] > pause), 0)
    rest = points[first:]
    return _burst(rest, 0.0)


def present(points: Sequence[Point]) -> Burst:
    """Return the present burst of the points, which are sorted and not empty."""
    parts = _parts(points)
    first = 0
    for number in range(len(parts) - 1, 0, -1):
        before, after = parts[number - 1], parts[number]
        if after.rate >= _RISE * before.rate and before.end - before.start >= _pause(points, after.start):
            first = number
            break
    start = parts[first].start
    rest = [point for point in points if point.start >= start]
    return _burst(rest, parts[first - 1].rate if first else 0.0)


def refine(moments: Sequence[datetime], burst: Burst) -> datetime:
    """Return the moment among these, which are sorted, from which on the rate is likelier the burst's than the former.

    They are those of single ones around the onset. If there are none, the onset stays as it is.
    """
    if not moments or burst.rate <= burst.rate_before:
        return burst.onset
    gain = log(burst.rate / max(burst.rate_before, 1e-9))
    cost = burst.rate - burst.rate_before
    total, end = len(moments), moments[-1]
    likelihoods = [
        (total - number) * gain - cost * (end - moment).total_seconds() for number, moment in enumerate(moments)
    ]
    return moments[likelihoods.index(max(likelihoods))]


def _burst(points: Sequence[Point], rate_before: float) -> Burst:
    count, length = sum(point.count for point in points), points[-1].end - points[0].start
    return Burst(points[0].first_seen, count, length, rate_before)


def _pause(points: Sequence[Point], start: datetime) -> timedelta:
    """Return how long a time without a burst has to be, before `start`: longer than those between its own counts."""
    starts = [point.start for point in points if point.start >= start]
    gaps = [(after - before).total_seconds() / 60 for before, after in pairwise(starts)]
    return timedelta(minutes=max(_QUIET_MINUTES, 3 * median(gaps) if gaps else 0))


def _parts(points: Sequence[Point]) -> list[_Part]:
    """Return the series cut where its rate changed."""
    edges = sorted({edge for point in points for edge in (point.start, point.end)})
    places = {edge: number for number, edge in enumerate(edges)}
    counts = [0] * len(edges)
    for point in points:
        counts[places[point.end]] += point.count
    for number in range(1, len(counts)):
        counts[number] += counts[number - 1]
    threshold = _CUT_FROM * _unevenness(points)
    cuts, open_parts = {0, len(edges) - 1}, [(0, len(edges) - 1)]
    while open_parts and len(cuts) < _MAX_CUTS:
        low, high = open_parts.pop()
        cut, gain = _best_cut(edges, counts, low, high)
        if gain > threshold:
            cuts.add(cut)
            open_parts += [(low, cut), (cut, high)]
    return [_Part(edges[a], edges[b], counts[b] - counts[a]) for a, b in pairwise(sorted(cuts))]


def _best_cut(edges: Sequence[datetime], counts: Sequence[int], low: int, high: int) -> tuple[int, float]:
    whole = _likelihood(edges, counts, low, high)
    best, gain = low, 0.0
    for cut in range(low + 1, high):
        found = _likelihood(edges, counts, low, cut) + _likelihood(edges, counts, cut, high) - whole
        if found > gain:
            best, gain = cut, found
    return best, gain


def _likelihood(edges: Sequence[datetime], counts: Sequence[int], low: int, high: int) -> float:
    count = counts[high] - counts[low]
    return count * log(count / (edges[high] - edges[low]).total_seconds()) if count else 0.0


def _unevenness(points: Sequence[Point]) -> float:
    """Return how many times more uneven neighbouring minutes are than if each came on its own, 1 at least."""
    by_start = {point.start: point.count for point in points if point.minutes == 1}
    minute = timedelta(minutes=1)
    starts = {start - step for start in by_start for step in (timedelta(0), minute)}
    pairs = [(by_start.get(start, 0), by_start.get(start + minute, 0)) for start in starts]
    return max(1.0, median((one - other) ** 2 / (one + other) for one, other in pairs)) if pairs else 1.0
