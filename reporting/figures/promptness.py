"""Tells whether figures are there within the time that a page has: it depends on how much has to be summed up."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection, models

from collect.models import Event
from collect.storage.rows import uuid7
from reporting.figures.asked import Asked
from reporting.figures.registry import CLIENTS, DIMENSIONS
from reporting.figures.sources import cells, counted
from reporting.models import Progress, Summary

# Buckets; summaries; and events that are in no bucket yet: what is read in half a second, by the kind of database,
# measured on two cores with the report daily; a summary takes 5 us on SQLite and 0.6 on PostgreSQL.
MOST_BUCKETS: Mapping[str, int] = {"sqlite": 8_000, "postgresql": 40_000}
MOST_SUMMARIES: Mapping[str, int] = {"sqlite": 100_000, "postgresql": 500_000}
MOST_EVENTS: Mapping[str, int] = {"sqlite": 4_000, "postgresql": 20_000}


def is_prompt(asked: Asked) -> bool:
    """Tell whether so little of when events happened has to be read that a page can wait for it.

    It looks at no more rows than that. Raises `BadQuestion` and `django.db.Error`.
    """
    asked.check()
    # Without the filters: what they leave has to be found first.
    everything = asked.unfiltered
    dimensions = [*asked.dimensions, *(DIMENSIONS[one.name] for one in asked.conditions)]
    progress = Progress.objects.first()
    source = counted(everything, dimensions, progress)
    if asked.needs(CLIENTS.name):
        source = cells(everything)
    most = MOST_SUMMARIES if source.rows.model is Summary else MOST_BUCKETS
    # In the order of an index, which is then read no further than that.
    return not _has_more(source.rows.order_by("quarter"), most) and is_counted(progress)


def is_counted(progress: Progress | None) -> bool:
    """Tell whether so few events are in no bucket yet that a page can read them.

    Those of the past that came in now are few, or marked.
    """
    events = Event.objects.order_by("pk")
    found = events if progress is None else events.filter(pk__gte=UUID(uuid7(progress.until, 0)))
    return not _has_more(found, MOST_EVENTS)


def _has_more(rows: "models.QuerySet[Any]", than: Mapping[str, int]) -> bool:
    most = than[connection.vendor]
    return bool(rows.values_list("pk")[most : most + 1])
