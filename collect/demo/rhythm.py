"""When things happen: a partner's events hour by hour, by its local day and week."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from collect.demo.profiles import Profile

HOUR = timedelta(hours=1)
# The last day has a floor, and the hours before it, which the silent partner is measured by.
_FLOOR_HOURS = 27
_NOISE = 0.12


def hours(profile: Profile, until: datetime, days: int) -> list[tuple[datetime, float]]:
    """Return the hours before `until`, oldest first, each with the partner's share of its own events in it."""
    starts = [until - HOUR * n for n in range(days * 24, 0, -1)]
    weights = [_weight(profile, start) for start in starts]
    return [(start, weight / sum(weights)) for start, weight in zip(starts, weights, strict=True)]


def budgets(profile: Profile, events: float, until: datetime, days: int, rng: Random) -> Iterator[tuple[datetime, int]]:
    """Yield each hour with the number of events that the partner has in it, of `events` in all hours."""
    last = until - HOUR * _FLOOR_HOURS
    shares = hours(profile, until, days)
    # What the floor adds is taken from the other hours.
    added = sum(max(0.0, profile.floor - events * share) for start, share in shares if start >= last)
    left_over, spread = 0.0, max(0.0, events - added)
    for start, share in shares:
        wanted = spread * share * max(0.0, rng.gauss(1, _NOISE)) + left_over
        number = int(wanted)
        left_over = wanted - number
        yield start, max(number, profile.floor) if start >= last else number


def _weight(profile: Profile, start: datetime) -> float:
    local = start + profile.utc_offset
    return profile.hours[local.hour] * (profile.weekend if local.weekday() >= 5 else 1.0)
