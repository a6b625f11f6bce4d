"""Answers what is asked in figures. Pages, commands, JSON and the views' readers get the same, from the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from collect.models import Mark
from reporting.figures import clients
from reporting.figures.asked import Asked, grouped
from reporting.figures.registry import AVERAGE, CLIENTS, DIMENSIONS, EVENTS, OF_MONEY, VALUE, VALUED, Dimension
from reporting.models import Quarter
from reporting.rollups.sketches import ERROR, Distinct
from reporting.views.columns import SCALE

Key = tuple[Any, ...]
# The last decimal that a value has.
_LAST = 1 / Decimal(SCALE)


@dataclass(frozen=True, slots=True)
class Figures:
    """The rows of an answer, each with a value for each of `names`; the dimensions' come first.

    `notes` say, in sentences, what is not exact, and why.
    """

    dimensions: Sequence[Dimension]
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


def figures(asked: Asked) -> Figures:
    """Return the figures, ordered by the dimensions. Raises `BadQuestion` and `django.db.Error`.

    If a sum of values is asked for, each currency has rows of its own, and so have events without a value.
    """
    asked.check()
    dimensions = asked.dimensions
    if any(one in asked.of_metrics for one in OF_MONEY):
        missing = [name for name in ("currency", "value_issue") if name not in asked.by]
        dimensions = [*dimensions, *(DIMENSIONS[name] for name in missing)]
    sums = _sums(asked, dimensions)
    found = clients.distinct(asked, dimensions) if _needs(asked, CLIENTS.name) else {}
    rows = [_row(asked, dimensions, key, sums[key], found) for key in sorted(sums, key=_order)]
    kept = [row for row in rows if all(one.keeps(row[one.name]) for one in asked.filters if one.is_of_rows)]
    return Figures(dimensions, kept, [*_vague(found), *_stale(asked), *_pruned(asked)])


def total(asked: Asked, metric: str) -> Any:
    """Return one figure of all that is chosen; None where there is nothing. `metric` is none of money."""
    rows = figures(replace(asked, metrics=(metric,), by=())).rows
    return rows[0][metric] if rows else None


def _needs(asked: Asked, metric: str) -> bool:
    return metric in asked.metrics or any(one.name == metric for one in asked.filters)


def _order(key: Key) -> tuple[Any, ...]:
    """Return what orders rows: what is unknown comes last."""
    return tuple((value is None, value if value is not None else "") for value in key)


def _of_quarters(dimension: Dimension) -> str:
    return dimension.of_quarters


def _sums(asked: Asked, dimensions: Sequence[Dimension]) -> dict[Key, tuple[int, int, int | None]]:
    """Return events, events with a value, and the value in ten-thousandths, by the values of the dimensions."""
    keys = asked.keys(dimensions, _of_quarters)
    chosen = asked.chosen(Quarter.objects.filter(is_test=False), "quarter", _of_quarters)
    sums = {
        "number": Sum("events"),
        "valued": Sum("events", filter=Q(currency__isnull=False), default=0),
        "total": Sum("value_e4"),
    }
    return {key: (events, number, value) for key, (events, number, value) in grouped(chosen, keys, sums) if events}


def _row(
    asked: Asked,
    dimensions: Sequence[Dimension],
    key: Key,
    sums: tuple[int, int, int | None],
    found: Mapping[Key, Distinct],
) -> dict[str, Any]:
    events, valued, value_e4 = sums
    value = None if value_e4 is None else Decimal(value_e4) / SCALE
    metrics: dict[str, Any] = {
        EVENTS.name: events,
        VALUED.name: valued,
        VALUE.name: value,
        AVERAGE.name: None if value is None else (value / valued).quantize(_LAST),
    }
    if _needs(asked, CLIENTS.name):
        metrics[CLIENTS.name] = found[key].number if key in found else 0
    return dict(zip((one.name for one in dimensions), key, strict=True)) | metrics


def _vague(found: Mapping[Key, Distinct]) -> list[str]:
    if all(one.is_exact for one in found.values()):
        return ["Clients are counted exactly."] if found else []
    return [
        f"Clients are an estimate with an error of {ERROR:.1%} (one standard deviation): there are too many to compare "
        "each, or events of the range were pruned."
    ]


def _stale(asked: Asked) -> list[str]:
    """Say that events of the past were written or changed a moment ago, and are not counted yet."""
    marks = Mark.objects.all() if asked.partner is None else Mark.objects.filter(partner=asked.partner)
    if not marks.exists():
        return []
    return [
        "Events of the past came, went or changed a moment ago, and some quarter-hours are counted anew now: ask again "
        "in a minute, or run `manage.py rollup`."
    ]


def _pruned(asked: Asked) -> list[str]:
    number = clients.cells(asked).filter(is_frozen=True).aggregate(events=Sum("events"))["events"]
    if not number:
        return []
    return [f"{number:,} of the events were pruned. Their totals are kept, and an erasure since does not change those."]
