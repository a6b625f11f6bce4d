"""Compares random hours of the buckets with the events themselves."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from collect.models import Mark
from collect.storage.marks import beginning
from keys.models import Partner
from reporting.models import Progress
from reporting.rollups import summaries
from reporting.rollups.counting import Part, counted, stored
from reporting.rollups.running import PATIENCE_SECONDS, first_arrival, take_right
from runtime.postgresql.patience import patient

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Difference:
    """An hour of arrivals of a partner in which so many buckets of the rollup differ from the events, or summaries from
    the buckets.
    """

    part: Part
    buckets: int


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared: `hours` hours of arrivals, each of every partner, and which of them differ."""

    hours: int
    differences: Sequence[Difference]


def check(hours: int, rng: random.Random | None = None) -> Check:
    """Compare so many random hours, or all if there are fewer. Marked times are left out: they are counted anew soon.

    Raises `django.db.Error`.
    """
    progress = Progress.objects.first()
    first = first_arrival()
    if progress is None or first is None or first >= progress.until:
        return Check(0, [])
    first = beginning(first)
    number = -int((first - progress.until) // HOUR)
    chosen = sorted((rng or random.SystemRandom()).sample(range(number), min(hours, number)))
    partners = list(Partner.objects.values_list("pk", flat=True))
    found = [
        difference
        for hour in chosen
        for partner in partners
        if (difference := _compare(Part(partner, first + hour * HOUR, first + (hour + 1) * HOUR))) is not None
    ]
    return Check(len(chosen), found)


def _compare(part: Part) -> Difference | None:
    # While the rollup takes no step, no mark goes: what was written between the two looks is marked afterwards.
    with transaction.atomic(), patient(PATIENCE_SECONDS):
        take_right(waits=True)
        until = min(part.end, Progress.objects.get().until)
        differing = counted(part, until) ^ stored(part)
        number = len({bucket[:-3] for bucket in differing})
        number += summaries.differing(part.partner, part.start, part.end)
        if Mark.objects.filter(partner=part.partner, start__lt=part.end, end__gt=part.start).exists():
            return None
    return Difference(part, number) if number else None
