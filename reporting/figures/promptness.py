"""Tells whether figures are there within the time that a page has: it depends on how much has to be summed up."""

from collections.abc import Mapping
from uuid import UUID

from django.db import connection, models

from collect.models import Event
from collect.storage.rows import uuid7
from reporting.models import Cell, Progress
from reporting.ranges import Range

# Buckets, and events that are in none yet, that are summed up in half a second, by the kind of database; measured with
# the report daily on two cores.
MOST_BUCKETS: Mapping[str, int] = {"sqlite": 8_000, "postgresql": 40_000}
MOST_EVENTS: Mapping[str, int] = {"sqlite": 4_000, "postgresql": 20_000}


def is_prompt(over: Range) -> bool:
    """Tell whether so little is of the range that a page can wait. It looks at no more rows than that."""
    # In the order of an index, which is then read no further than that.
    buckets = Cell.objects.filter(quarter__gte=over.start, quarter__lt=over.end).order_by("quarter")
    return not (_has_more(buckets, MOST_BUCKETS) or _has_more(_uncounted(), MOST_EVENTS))


def _uncounted() -> "models.QuerySet[Event]":
    """Return the live events that are in no bucket yet; those of the past that came in now are few, or marked."""
    progress = Progress.objects.first()
    events = Event.objects.order_by("pk")
    return events if progress is None else events.filter(pk__gte=UUID(uuid7(progress.until, 0)))


def _has_more(rows: "models.QuerySet[Cell] | models.QuerySet[Event]", than: Mapping[str, int]) -> bool:
    most = than[connection.vendor]
    return bool(rows.values_list("pk")[most : most + 1])
