"""Answers what is asked in figures. Pages, commands, JSON and the views' readers get the same, from the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from collect.models import Mark
from reporting.figures import clients
from reporting.figures.asked import Asked
from reporting.figures.registry import AVERAGE, CLIENTS, DIMENSIONS, EVENTS, OF_MONEY, VALUE, VALUED, Dimension
from reporting.figures.sources import Found, Key, Sums, counted, newest
from reporting.models import Progress
from reporting.rollups.sketches import ERROR, Distinct
from reporting.snapshot import snapshot
from reporting.views.columns import SCALE

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


def figures(asked: Asked, sums: Sums | None = None) -> Figures:
    """Return the figures, ordered by the dimensions. Raises `BadQuestion` and `django.db.Error`.

    If a sum of values is asked for, each currency has rows of its own, and so have events without a value. `sums` are
    those of the same events by more dimensions, where somebody has them: what is of the same sums agrees.
    """
    asked.check()
    dimensions = _dimensions(asked)
    with snapshot():
        of = (sums or summed(asked)).by(dimensions)
        found = clients.distinct(asked, dimensions) if asked.needs(CLIENTS.name) else {}
        stale = _stale(asked)
    rows = [_row(asked, dimensions, key, of.rows[key], found) for key in sorted(of.rows, key=_order)]
    kept = [row for row in rows if all(one.keeps(row[one.name]) for one in asked.filters if one.is_of_rows)]
    return Figures(dimensions, kept, [*_vague(found), *stale, *_pruned(of)])


def summed(asked: Asked) -> Sums:
    """Return the sums of what is asked, by all of its dimensions. Raises `BadQuestion` and `django.db.Error`."""
    asked.check()
    dimensions = _dimensions(asked)
    with snapshot():
        progress = Progress.objects.first()
        of_newest = newest(asked, progress).summed(dimensions)
        return counted(asked, dimensions, progress).summed(dimensions).plus(of_newest)


def _dimensions(asked: Asked) -> list[Dimension]:
    """Return the dimensions, and those that sums of values need."""
    if not any(one in asked.of_metrics for one in OF_MONEY):
        return asked.dimensions
    missing = [name for name in ("currency", "value_issue") if name not in asked.by]
    return [*asked.dimensions, *(DIMENSIONS[name] for name in missing)]


def _order(key: Key) -> tuple[Any, ...]:
    """Return what orders rows: what is unknown comes last."""
    return tuple((value is None, value if value is not None else "") for value in key)


def _row(
    asked: Asked,
    dimensions: Sequence[Dimension],
    key: Key,
    sums: Found,
    found: Mapping[Key, Distinct],
) -> dict[str, Any]:
    events, valued, value_e4, _ = sums
    value = None if value_e4 is None else Decimal(value_e4) / SCALE
    metrics: dict[str, Any] = {
        EVENTS.name: events,
        VALUED.name: valued,
        VALUE.name: value,
        AVERAGE.name: None if value is None else (value / valued).quantize(_LAST),
    }
    if asked.needs(CLIENTS.name):
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


def _pruned(of: Sums) -> list[str]:
    number = sum(pruned for *_, pruned in of.rows.values())
    if not number:
        return []
    return [f"{number:,} of the events were pruned. Their totals are kept, and an erasure since does not change those."]
