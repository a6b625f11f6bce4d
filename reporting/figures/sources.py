"""Where figures are summed up from: the buckets or their summaries, and the events that are in no bucket yet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, Count, Q, QuerySet, Sum, Value, When

from collect.intake.contract import STANDARD_EVENTS
from keys.models import Partner
from reporting.figures.asked import Asked, grouped
from reporting.figures.registry import DIMENSIONS, Dimension
from reporting.models import Cell, Progress, ReportedEvent, Summary
from reporting.views.columns import CUSTOM

Key = tuple[Any, ...]
_HAS_VALUE = Q(currency__isnull=False)
_OF_COUNTS = {
    "number": Sum("events"),
    "valued": Sum("events", filter=_HAS_VALUE, default=0),
    "total": Sum("value_e4"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of what is asked, the field in which they have a dimension, and how they are summed up.

    The sums are events, events with a value, the value in ten-thousandths, and events that have been pruned.
    """

    asked: Asked
    rows: "QuerySet[Any]"
    field: Callable[[Dimension], str]
    sums: Mapping[str, Any]

    def grouped(self, dimensions: Sequence[Dimension]) -> Iterator[tuple[Key, Sequence[Any]]]:
        """Yield the sums for each combination of the dimensions' values."""
        yield from grouped(self.rows, self.asked.keys(dimensions, self.field), self.sums)


def sources(asked: Asked, dimensions: Sequence[Dimension]) -> list[Source]:
    """Return what has the figures by these dimensions: each event is in one of them."""
    counted = summaries(asked, dimensions) or cells(asked)
    return [counted, newest(asked)] if asked.with_newest else [counted]


def summaries(asked: Asked, dimensions: Sequence[Dimension]) -> Source | None:
    """Return the summaries of what is asked; None if they have not all of the dimensions."""
    wanted = {one.of_summaries for one in (*dimensions, *(DIMENSIONS[one.name] for one in asked.conditions))} - {""}
    if len(wanted) > 1:
        return None

    def field(dimension: Dimension) -> str:
        is_member = dimension.of_summaries == dimension.of_cells != ""
        return "member" if is_member else _field(asked.time.of_counts, dimension, dimension.of_cells)

    rows = Summary.objects.filter(is_test=False, dimension="".join(wanted)).annotate(category=_category("member"))
    sums = {**_OF_COUNTS, "pruned": Sum("pruned")}
    return Source(asked, asked.chosen(rows, asked.time.of_counts, field), field, sums)


def cells(asked: Asked) -> Source:
    """Return the buckets of what is asked, which are of events that arrived before the last counting."""

    def field(dimension: Dimension) -> str:
        return _field(asked.time.of_counts, dimension, dimension.of_cells)

    rows = Cell.objects.filter(is_test=False).annotate(category=_category("event_name"))
    sums = {**_OF_COUNTS, "pruned": Sum("events", filter=Q(is_frozen=True), default=0)}
    return Source(asked, asked.chosen(rows, asked.time.of_counts, field), field, sums)


def events(asked: Asked) -> Source:
    """Return the events of what is asked, whether they are in a bucket or not."""

    def field(dimension: Dimension) -> str:
        return _field(asked.time.of_events, dimension, dimension.of_events)

    # Of all partners, one by one, so that the index by partner and arrival can be used.
    partners = list(Partner.objects.values_list("pk", flat=True))
    rows = asked.chosen(ReportedEvent.objects.filter(partner_id__in=partners), asked.time.of_events, field)
    sums = {
        "number": Count("pk"),
        "valued": Count("pk", filter=_HAS_VALUE),
        "total": Sum("value_e4"),
        "pruned": Sum(Value(0)),
    }
    return Source(asked, rows, field, sums)


def newest(asked: Asked) -> Source:
    """Return the events of what is asked that are in no bucket yet."""
    found = events(asked)
    progress = Progress.objects.first()
    rows = found.rows if progress is None else found.rows.filter(received_at__gte=progress.until)
    return Source(asked, rows, found.field, found.sums)


def _field(time: str, dimension: Dimension, other: str) -> str:
    return time if dimension.step else other


def _category(name: str) -> Case:
    """Return the category of the name in this field, as `views.columns.category` does."""
    names = [When(**{name: event}, then=Value(category)) for event, category in STANDARD_EVENTS.items()]
    return Case(*names, default=Value(CUSTOM), output_field=CharField())
