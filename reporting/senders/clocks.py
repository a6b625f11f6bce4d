"""The clock doctor: tells from when events happened and when they came in what is wrong with a sender's clock.

Pure functions over samples. An event cannot be received before it happened, and most are sent at once: the freshest
events of a sound sender are seconds old, however many are late, tried again, held up in a queue or sent by the hour.
A wrong clock shifts the freshest ones too, and all by the same time. (A queue that holds each event for exactly so long
looks the same, and cannot be told apart.) What is seen of an event is what the contract made
of its number, which is in milliseconds from 1e11 on:

- seconds and milliseconds are both read as meant, so milliseconds alone are no fault;
- a number a thousand times too small is stored in January 1970: its sender took seconds for milliseconds and divided;
- microseconds lie beyond the year 9999 and are refused: they are seen only if rejections are among the samples.
"""

import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

# Fewer events tell nothing.
LEAST_EVENTS = 50
# A queue may hold events for so long; a shift that is shorter is not spoken of. In seconds, as all times here.
LEAST_SHIFT = 55 * 60
HOUR, QUARTER = 3_600, 900
# The zones that are neither a whole nor half an hour away: Nepal, Eucla, the Chatham Islands.
_ODD_ZONES = (5.75 * HOUR, 8.75 * HOUR, 12.75 * HOUR, 13.75 * HOUR)
_WIDEST_ZONE = 14 * HOUR
# A shift so near below or above a whole half hour is one, with the time that an event is on its way.
_BELOW, _ABOVE = 20, 60
# Events as late as the freshest ones, or up to five minutes later, are of one cluster.
_CLUSTER, _DENSE = 300, 60
_SHARE_BEHIND, _SHARE_AHEAD = 0.6, 0.05
# The freshest events of each part of the time may differ so much, where the shift is one and the same.
_STEADY = 45
_LEAST_SPAN, _LEAST_MINUTES = 30 * 60, 15
# A clock that goes wrong by more than 2 % is a queue that grows; less than a minute in all is not spoken of.
_FASTEST_DRIFT, _LEAST_DRIFT, _DRIFT_SPAN = 0.02, 60, HOUR
_STRAIGHT = 0.1


class Sample(NamedTuple):
    """When an event was received, and when it happened by its sender's clock: Unix seconds."""

    received: float
    happened: float

    @property
    def age(self) -> float:
        """How old the event was when it came in; below zero if it came before it happened."""
        return self.received - self.happened


class Signature(StrEnum):
    """What can be wrong with a clock."""

    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"
    TIME_ZONE = "time_zone"
    DRIFT = "drift"
    SKEW = "skew"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a clock, seen in `events` of `of` samples.

    `ahead` is how far the clock is ahead, in seconds, below zero for one that is behind; of a drift it is the last
    value, and `drift` what it gains in a second. `first` and `last` are the first and the last moment, in Unix seconds,
    at which such an event was received.
    """

    signature: Signature
    events: int
    of: int
    first: float
    last: float
    ahead: float = 0.0
    drift: float = 0.0

    @property
    def text(self) -> str:
        """The finding in a sentence, and what to change."""
        return _TEXTS[self.signature].format(
            shift=length(abs(self.ahead)),
            side="ahead" if self.ahead > 0 else "behind",
            zone=zone(self.ahead),
            gain="gains" if self.drift > 0 else "loses",
            drift=length(abs(self.drift) * HOUR),
        )


_TEXTS = {
    Signature.MILLISECONDS: "The timestamps are a thousand times too small and lie in January 1970: seconds were taken "
    "for milliseconds and divided by 1000. Send the seconds as they are.",
    Signature.MICROSECONDS: "The timestamps are microseconds, which no year has. Send seconds or milliseconds.",
    Signature.TIME_ZONE: "The clock is {shift} {side}: local time of {zone} is sent as if it were UTC.",
    Signature.DRIFT: "The clock {gain} {drift} an hour and is now {shift} {side}. Synchronise it (NTP).",
    Signature.SKEW: "The clock is {shift} {side}, always by the same time. Set it, and synchronise it (NTP).",
}


def diagnose(samples: Sequence[Sample]) -> list[Diagnosis]:
    """Return what is wrong with the clock that dated these events, the most frequent first; nothing if all is well.

    Samples without a timestamp of their own, which have the time of arrival, tell nothing and are left out.
    """
    told = sorted(sample for sample in samples if sample.age != 0)
    units = _units(told)
    rest = [sample for sample in told if _factor(sample) == 0]
    shift = _drift(rest, len(told)) or _shift(rest, len(told))
    return sorted([*units, *([shift] if shift else [])], key=lambda found: -found.events)


# --- units ---


def _factor(sample: Sample) -> int | None:
    """Return the power of a thousand by which the event's time is too large; None if it is another factor."""
    ratio = sample.happened / sample.received if sample.received > 0 else 0
    if ratio <= 0:
        return None
    power = math.log10(ratio) / 3
    nearest = round(power)
    # Two years of delay, and no more, are near enough.
    return nearest if abs(power - nearest) < 0.01 else None


def _units(samples: Sequence[Sample]) -> list[Diagnosis]:
    found = []
    for factor, signature in ((-1, Signature.MILLISECONDS), (1, Signature.MICROSECONDS)):
        moments = [sample.received for sample in samples if _factor(sample) == factor]
        if len(moments) >= LEAST_EVENTS:
            found.append(Diagnosis(signature, len(moments), len(samples), moments[0], moments[-1]))
    return found


# --- one shift for all ---


def _shift(samples: Sequence[Sample], of: int) -> Diagnosis | None:
    """Return a time zone or a constant skew, if most events of some time have one.

    An event that is behind may only be late: most have to be, by the same time, and none fresher. No sound event is
    ahead of the server's clock, so that a few are enough.
    """
    for candidates, share in (
        ([sample for sample in samples if sample.age <= -LEAST_SHIFT], _SHARE_AHEAD),
        ([sample for sample in samples if sample.age >= LEAST_SHIFT - _BELOW], _SHARE_BEHIND),
    ):
        cluster = _cluster(candidates)
        if len(cluster) < LEAST_EVENTS or not _is_spread(cluster):
            continue
        edge, strays = _edge([sample.age for sample in cluster]), len(cluster) // 20
        # Without those few that have this age by chance, before the fault or after it.
        first, last = cluster[strays].received, cluster[-1 - strays].received
        meanwhile = [sample for sample in samples if first <= sample.received <= last]
        judged = cluster if edge < 0 else meanwhile
        if len(cluster) >= share * len(meanwhile) and _is_steady(judged, edge):
            return _of_shift(edge, Diagnosis(Signature.SKEW, len(cluster), of, first, last, ahead=-edge))
    return None


def _of_shift(edge: float, skew: Diagnosis) -> Diagnosis:
    nearest = round(edge / QUARTER) * QUARTER
    is_zone = nearest % (2 * QUARTER) == 0 or abs(nearest) in _ODD_ZONES
    if is_zone and abs(nearest) <= _WIDEST_ZONE and nearest - _BELOW <= edge <= nearest + _ABOVE:
        return Diagnosis(Signature.TIME_ZONE, skew.events, skew.of, skew.first, skew.last, ahead=-nearest)
    return skew


def _cluster(samples: Sequence[Sample]) -> list[Sample]:
    """Return the events that are about as old as most are, in the order of their arrival."""
    ages = sorted(sample.age for sample in samples)
    if not ages:
        return []
    densest = max(range(len(ages)), key=lambda n: bisect_left(ages, ages[n] + _DENSE) - n)
    low, high = ages[densest] - _BELOW, ages[densest] + _CLUSTER
    return [sample for sample in samples if low <= sample.age <= high]


def _is_spread(cluster: Sequence[Sample]) -> bool:
    """Tell whether the events are of many moments: one upload of many is not a clock."""
    is_long = cluster[-1].received - cluster[0].received >= _LEAST_SPAN
    return is_long and len({sample.happened // 60 for sample in cluster}) >= _LEAST_MINUTES


def _is_steady(samples: Sequence[Sample], edge: float) -> bool:
    """Tell whether the freshest events are equally old at all times, which those in a queue are not."""
    return all(abs(found - edge) <= _STEADY for _, found in _edges(samples, 5))


def _edges(samples: Sequence[Sample], parts: int) -> list[tuple[float, float]]:
    """Return the moment and the age of the freshest events, for equal parts of the samples."""
    cuts = [len(samples) * n // parts for n in range(parts + 1)]
    groups = [samples[start:end] for start, end in pairwise(cuts)]
    return [
        (statistics.median(sample.received for sample in group), _edge([sample.age for sample in group]))
        for group in groups
    ]


def _edge(ages: Sequence[float]) -> float:
    """Return how old the freshest events are; one of ten may be fresher, for another clock or a retry."""
    return sorted(ages)[len(ages) // 10]


# --- drift ---


def _drift(samples: Sequence[Sample], of: int) -> Diagnosis | None:
    """Return a clock that goes too fast or too slow: the age of the freshest events is a straight line over time."""
    if len(samples) < LEAST_EVENTS or samples[-1].received - samples[0].received < _DRIFT_SPAN:
        return None
    edges = _edges(samples, min(12, len(samples) // 10))
    slopes = [
        (later - age) / (moment - start)
        for n, (start, age) in enumerate(edges)
        for moment, later in edges[n + 1 :]
        if moment > start
    ]
    if not slopes:
        return None
    slope = statistics.median(slopes)
    total = slope * (edges[-1][0] - edges[0][0])
    level = statistics.median(age - slope * moment for moment, age in edges)
    off = [abs(age - slope * moment - level) for moment, age in edges]
    if abs(slope) > _FASTEST_DRIFT or abs(total) < _LEAST_DRIFT or max(off) > _STRAIGHT * abs(total):
        return None
    first, last = samples[0].received, samples[-1].received
    return Diagnosis(
        Signature.DRIFT, len(samples), of, first, last, ahead=-(slope * edges[-1][0] + level), drift=-slope
    )


# --- words ---


def length(seconds: float) -> str:
    """Return a time in words, in its two largest units: `5 h`, `3 h 12 min`, `40 s`, `2 days 4 h`."""
    left, parts = round(seconds), []
    for unit, name in ((86_400, "days"), (HOUR, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, unit)
        if number:
            parts.append(f"{number} {'day' if name == 'days' and number == 1 else name}")
    if not parts and seconds:
        return f"{seconds:.1g} s"
    return " ".join(parts[:2]) or "0 s"


def zone(ahead: float) -> str:
    """Return the zone whose local time is so far ahead of UTC: `UTC+05:30`."""
    hours, minutes = divmod(round(abs(ahead) / 60), 60)
    return f"UTC{'-' if ahead < 0 else '+'}{hours:02}:{minutes:02}"
