"""Senders, good and bad, for the clock doctor: each gives samples of what it sends over some time."""

from collections.abc import Callable
from random import Random

from reporting.senders.clocks import Sample

START, HOUR, DAY = 1_764_000_000.0, 3_600.0, 86_400.0
Delay = Callable[[Random, float], float]


def moments(rng: Random, events: int, span: float) -> list[float]:
    """When events happen: at random, in order."""
    return sorted(START + rng.uniform(0, span) for _ in range(events))


def prompt(rng: Random, _moment: float) -> float:
    """Sent at once, over a network."""
    return rng.lognormvariate(-1, 0.8)


def retried(rng: Random, _moment: float) -> float:
    """Every fifth one is tried again: after seconds, minutes, half an hour, exactly an hour or two."""
    wait = rng.choice((5, 60, 300, 1_800, 3_600, 7_200)) if rng.random() < 0.2 else 0
    return wait + rng.lognormvariate(-1, 0.8)


def late(rng: Random, _moment: float) -> float:
    """A third comes from phones that were offline."""
    return rng.uniform(0, DAY) if rng.random() < 0.33 else rng.lognormvariate(-1, 0.8)


def heavy_tailed(rng: Random, _moment: float) -> float:
    """A queue that is mostly short."""
    return rng.lognormvariate(3, 2.5)


def batched(every: float, delay: float = 0.0) -> Delay:
    """Sent with all others of the time, at its end and `delay` seconds."""

    def wait(rng: Random, moment: float) -> float:
        return every - (moment - START) % every + delay

    return wait


def growing_queue(rate: float) -> Delay:
    """A queue of which less is taken than is put into it: an event waits longer and longer."""

    def wait(rng: Random, moment: float) -> float:
        return (moment - START) * rate + rng.lognormvariate(-1, 0.8)

    return wait


def draining_queue(hours: float, drained_in: float) -> Delay:
    """The sender was down for hours, and then sends what has waited, oldest first."""

    def wait(rng: Random, moment: float) -> float:
        left = hours * HOUR - (moment - START)
        return max(0.0, left) * (1 - drained_in) + max(0.0, left and drained_in * 60) + rng.lognormvariate(-1, 0.8)

    return wait


def wandering_queue(rng: Random) -> Delay:
    """A queue that always holds events for hours, now more and now fewer."""
    steps = [2.5 * HOUR]
    for _ in range(2_000):
        steps.append(HOUR + abs(steps[-1] - HOUR + rng.gauss(0, 240)))

    def wait(_rng: Random, moment: float) -> float:
        return steps[int((moment - START) // 300) % len(steps)]

    return wait


def truncated(to: float) -> Delay:
    """The timestamp is that of the minute, hour or day in which the event was."""

    def wait(_rng: Random, moment: float) -> float:
        return (moment - START) % to + 0.2

    return wait


def samples(
    rng: Random, events: int, span: float, delay: Delay, ahead: float = 0.0, drift: float = 0.0
) -> list[Sample]:
    """What a sender sends whose clock is so many seconds ahead, and gains so many in each second."""
    found = []
    for moment in moments(rng, events, span):
        received = moment + max(0.001, delay(rng, moment))
        found.append(Sample(received, moment + ahead + drift * (moment - START)))
    rng.shuffle(found)
    return found
