"""What the planner is asked: which metrics, by which dimensions, of which events."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from enum import Enum
from typing import Any, TypeVar

from django.db import models
from django.db.models import F
from django.db.models.functions import TruncDay, TruncHour, TruncMonth, TruncWeek

from collect.storage.marks import beginning
from keys.models import Partner
from reporting.figures.filters import Filter
from reporting.figures.registry import DIMENSIONS, METRICS, Dimension, Metric
from reporting.ranges import Range
from reporting.reports.question import BadQuestion


class Time(Enum):
    """By which time events are asked for, as the fields that have it in counts and in `ReportedEvent`."""

    HAPPENED = ("quarter", "timestamp")
    ARRIVED = ("arrived", "received_at")

    @property
    def of_counts(self) -> str:
        """The field of counts."""
        return self.value[0]

    @property
    def of_events(self) -> str:
        """The field of events."""
        return self.value[1]


_TRUNCATED = {"hour": TruncHour, "day": TruncDay, "week": TruncWeek, "month": TruncMonth}
Rows = TypeVar("Rows", bound="models.QuerySet[Any, Any]")


@dataclass(frozen=True, slots=True)
class Asked:
    """Metrics and dimensions by their names, and which events: of a range, of a partner or all.

    Days and the like are those of the time zone. The range begins and ends with a quarter-hour, and is one of when
    events happened, or arrived.
    """

    over: Range
    zone: tzinfo = UTC
    partner: Partner | None = None
    metrics: Sequence[str] = ("events",)
    by: Sequence[str] = ()
    filters: Sequence[Filter] = ()
    time: Time = Time.HAPPENED

    def check(self) -> None:
        """Raise `BadQuestion` for a name that is none, or a range that no buckets make up."""
        for name in (*self.metrics, *(one.name for one in self.filters if one.is_of_rows)):
            if name not in METRICS:
                raise BadQuestion(f"metric: {name!r} is none of {', '.join(METRICS)}")
        for name in self.by:
            if name not in DIMENSIONS:
                raise BadQuestion(f"by: {name!r} is none of {', '.join(DIMENSIONS)}")
        for moment in (self.over.start, self.over.end):
            if beginning(moment) != moment:
                raise BadQuestion(f"{moment:%Y-%m-%d %H:%M:%S} UTC begins no quarter-hour; figures are kept by those")

    @property
    def of_metrics(self) -> list[Metric]:
        """The metrics."""
        return [METRICS[name] for name in self.metrics]

    @property
    def dimensions(self) -> list[Dimension]:
        """The dimensions."""
        return [DIMENSIONS[name] for name in self.by]

    @property
    def unfiltered(self) -> "Asked":
        """The same of all events of the range."""
        return replace(self, partner=None, filters=())

    @property
    def conditions(self) -> list[Filter]:
        """The filters of what is counted; the others are of the answer's rows."""
        return [one for one in self.filters if not one.is_of_rows]

    def needs(self, metric: str) -> bool:
        """Tell whether the metric is asked for, or decides which rows the answer has."""
        return metric in self.metrics or any(one.name == metric for one in self.filters)

    def chosen(self, rows: Rows, time: str, field: Callable[[Dimension], str]) -> Rows:
        """Return the rows of the range, partner and filters. `time` is the field that has the time of the events."""
        found = rows.filter(**{f"{time}__gte": self.over.start, f"{time}__lt": self.over.end})
        if self.partner is not None:
            found = found.filter(partner_id=self.partner.pk)
        for one in self.conditions:
            found = found.filter(one.condition(field))
        return found

    def keys(self, dimensions: Sequence[Dimension], field: Callable[[Dimension], str]) -> Mapping[str, Any]:
        """Return the expressions by which rows are grouped, by names that no field has."""
        return {f"by_{one.name}": self._key(one, field(one)) for one in dimensions}

    def _key(self, dimension: Dimension, field: str) -> Any:
        return _TRUNCATED[dimension.step](field, tzinfo=self.zone) if dimension.step else F(field)


def grouped(
    rows: "models.QuerySet[Any, Any]", keys: Mapping[str, Any], sums: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], Sequence[Any]]]:
    """Yield the values of `keys` and those of `sums` for each group of the rows; without keys all are one group."""
    if not keys:
        yield (), list(rows.aggregate(**sums).values())
        return
    for row in rows.annotate(**keys).order_by().values_list(*keys).annotate(**sums):
        yield tuple(row[: len(keys)]), row[len(keys) :]
