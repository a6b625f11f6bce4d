"""What the events that arrived in a range have most often: names, tags, places, browsers, and what they are worth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from collect.storage.marks import QUARTER, beginning
from reporting.figures import sources
from reporting.figures.asked import Asked, Time
from reporting.figures.planner import figures
from reporting.figures.promptness import is_counted
from reporting.figures.registry import DIMENSIONS, EVENTS, VALUE, VALUED, Dimension
from reporting.figures.sources import Source, Sums
from reporting.models import Progress
from reporting.ranges import Range
from reporting.snapshot import snapshot
from runtime import display

SHOWN = 7
LISTED = ("event_name", "tag", "country", "browser", "bot")
_LISTED = [DIMENSIONS[name] for name in LISTED]
_LEAST = timedelta(microseconds=1)
_MONEY = [DIMENSIONS[name] for name in ("currency", "value_issue")]


@dataclass(frozen=True, slots=True)
class Tops:
    """The most frequent values of each dimension among all `events` live events that arrived in the range `over`.

    `worth` is the sum of their values by currency, and the number of events that have one. Notes say in sentences what
    is not counted, and why.
    """

    over: Range
    events: int = 0
    by: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=lambda: {name: [] for name in LISTED})
    worth: Mapping[str, tuple[Decimal, int]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def of(over: Range) -> Tops:
    """Return the tops of the range, which is made to begin and end with a quarter-hour. Raises `django.db.Error`.

    If very many events are in no bucket yet, the range ends where the counting has come to.
    """
    over = Range(beginning(over.start), beginning(over.end - _LEAST) + QUARTER)
    with snapshot():
        progress = Progress.objects.first()
        if progress is not None and not progress.is_summed_up:
            return Tops(over, notes=["The counts are being made anew: these lists come back when they are."])
        if is_counted(progress):
            return _tops(over, progress, with_newest=True)
        until = over.start if progress is None else min(progress.until, over.end)
        behind = (
            f"Counting has come to {display.second(until)} UTC, and many events came in since: the server goes on with "
            "it, or `manage.py rollup` does."
        )
        if until <= over.start:
            return Tops(over, notes=[behind])
        found = _tops(over, progress, with_newest=False)
        return replace(found, over=Range(over.start, until), notes=[behind, *found.notes])


def _tops(over: Range, progress: Progress | None, *, with_newest: bool) -> Tops:
    asked = Asked(over, time=Time.ARRIVED)
    names = [*_LISTED, *_MONEY]
    newest = sources.newest(asked, progress).summed(names) if with_newest else Sums(names, {})
    sums = sources.counted(asked, _MONEY, progress).summed(_MONEY).plus(newest.by(_MONEY))
    total = figures(asked, sums)
    worth = figures(replace(asked, metrics=(VALUED.name, VALUE.name)), sums)
    by = {one.name: _most(sources.counted(asked, [one], progress), one, newest) for one in _LISTED}
    return Tops(over, sum(row[EVENTS.name] for row in total.rows), by, _first(worth.rows), total.notes)


def _most(counted: Source, dimension: Dimension, newest: Sums) -> list[tuple[str, int]]:
    """Return the most frequent values. One that the newest events have may not be among the first of those counted."""
    found = Counter({value: row[0] for (value,), row in newest.by([dimension]).rows.items() if value is not None})
    found.update(counted.among(dimension, list(found)) | counted.most(dimension, SHOWN))
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))[:SHOWN]


def _first(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Decimal, int]]:
    valued = [row for row in rows if row["currency"] is not None]
    first = sorted(valued, key=lambda row: (-row[VALUED.name], row["currency"]))[:SHOWN]
    return {row["currency"]: (row[VALUE.name], row[VALUED.name]) for row in first}
