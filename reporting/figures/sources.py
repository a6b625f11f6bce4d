"""Where figures are summed up from: the buckets or their summaries, and the events that are in no bucket yet."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Sum, Value, When

from collect.intake.contract import STANDARD_EVENTS
from keys.models import Partner
from reporting.figures.asked import Asked, grouped
from reporting.figures.registry import DIMENSIONS, Dimension
from reporting.models import Cell, Progress, ReportedEvent, Summary
from reporting.totals import Total
from reporting.views.columns import CUSTOM

Key = tuple[Any, ...]
_HAS_VALUE = Q(currency__isnull=False)
_OF_COUNTS = {
    "number": Sum("events"),
    "valued": Sum("events", filter=_HAS_VALUE, default=0),
    "total": Total("value_e4"),
    "pruned": Sum("pruned"),
}


# Events, those with a value, the value in ten-thousandths, and how many of the events have been pruned.
Found = tuple[int, int, int | None, int]


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums by the values of the dimensions."""

    dimensions: Sequence[Dimension]
    rows: Mapping[Key, Found]

    def by(self, dimensions: Sequence[Dimension]) -> "Sums":
        """Return the sums by some of the dimensions alone."""
        if dimensions == self.dimensions:
            return self
        places = [self.dimensions.index(one) for one in dimensions]
        return Sums(dimensions, _added((tuple(key[place] for place in places), row) for key, row in self.rows.items()))

    def plus(self, other: "Sums") -> "Sums":
        """Return the sums of both, which are of different events by the same dimensions."""
        return Sums(self.dimensions, _added(chain(self.rows.items(), other.rows.items())))


def _added(found: Iterable[tuple[Key, Sequence[Any]]]) -> dict[Key, Found]:
    sums: dict[Key, Found] = {}
    for key, (events, valued, value, pruned) in found:
        before = sums.get(key, (0, 0, None, 0))
        total = before[2] if value is None else (before[2] or 0) + int(value)
        sums[key] = before[0] + int(events or 0), before[1] + int(valued), total, before[3] + int(pruned or 0)
    return {key: row for key, row in sums.items() if row[0]}


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of what is asked, the field in which they have a dimension, and how each of `Found` is summed up."""

    asked: Asked
    rows: "QuerySet[Any]"
    field: Callable[[Dimension], str]
    sums: Mapping[str, Any]

    def summed(self, dimensions: Sequence[Dimension]) -> Sums:
        """Return the sums by the dimensions. Raises `django.db.Error`."""
        return Sums(dimensions, _added(grouped(self.rows, self.asked.keys(dimensions, self.field), self.sums)))

    def most(self, dimension: Dimension, number: int) -> dict[Any, int]:
        """Return the values that most events have, with how many; what is unknown is none of them."""
        return dict(self._numbers(dimension).order_by("-number", "value")[:number])

    def among(self, dimension: Dimension, values: Collection[Any]) -> dict[Any, int]:
        """Return how many events have each of these values."""
        return dict(self._numbers(dimension).filter(value__in=values)) if values else {}

    def _numbers(self, dimension: Dimension) -> Any:
        known = self.rows.annotate(value=F(self.field(dimension))).filter(value__isnull=False)
        return known.order_by().values_list("value").annotate(number=self.sums["number"])


def counted(asked: Asked, dimensions: Sequence[Dimension], progress: Progress | None) -> Source:
    """Return what has the counts by these dimensions of all events that arrived before the last counting."""
    is_summed_up = progress is not None and progress.is_summed_up
    return (summaries(asked, dimensions) if is_summed_up else None) or cells(asked)


def summaries(asked: Asked, dimensions: Sequence[Dimension]) -> Source | None:
    """Return the summaries of what is asked; None if they have not all of the dimensions."""
    wanted = {one.of_summaries for one in (*dimensions, *(DIMENSIONS[one.name] for one in asked.conditions))} - {""}
    if len(wanted) > 1:
        return None

    def field(dimension: Dimension) -> str:
        is_member = dimension.of_summaries == dimension.of_cells != ""
        return "member" if is_member else _field(asked.time.of_counts, dimension, dimension.of_cells)

    rows = Summary.objects.filter(is_test=False, dimension="".join(wanted)).annotate(category=_category("member"))
    return Source(asked, asked.chosen(rows, asked.time.of_counts, field), field, _OF_COUNTS)


def cells(asked: Asked) -> Source:
    """Return the buckets of what is asked."""

    def field(dimension: Dimension) -> str:
        return _field(asked.time.of_counts, dimension, dimension.of_cells)

    rows = Cell.objects.filter(is_test=False).annotate(category=_category("event_name"))
    return Source(asked, asked.chosen(rows, asked.time.of_counts, field), field, _OF_COUNTS)


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
        "total": Total("value_e4"),
        "pruned": Sum(Value(0)),
    }
    return Source(asked, rows, field, sums)


def newest(asked: Asked, progress: Progress | None) -> Source:
    """Return the events of what is asked that are in no bucket yet."""
    found = events(asked)
    rows = found.rows if progress is None else found.rows.filter(received_at__gte=progress.until)
    return Source(asked, rows, found.field, found.sums)


def _field(time: str, dimension: Dimension, other: str) -> str:
    return time if dimension.step else other


def _category(name: str) -> Case:
    """Return the category of the name in this field, as `views.columns.category` does."""
    names = [When(**{name: event}, then=Value(category)) for event, category in STANDARD_EVENTS.items()]
    return Case(*names, default=Value(CUSTOM), output_field=CharField())
