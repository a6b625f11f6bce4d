"""What the events that arrived in a range have most often: names, tags, places, browsers, and what they are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from collect.storage.marks import QUARTER, beginning
from reporting.figures.asked import Asked, Time
from reporting.figures.planner import figures
from reporting.figures.promptness import is_counted
from reporting.figures.registry import EVENTS, VALUE, VALUED
from reporting.models import Progress
from reporting.ranges import Range
from reporting.snapshot import snapshot

SHOWN = 7
DIMENSIONS = ("event_name", "tag", "country", "browser", "bot")


@dataclass(frozen=True, slots=True)
class Tops:
    """The most frequent values of each dimension among all `events` live events that arrived in the range `over`.

    `worth` is the sum of their values by currency, and the number of events that have one. `stale` says in sentences
    what is not in the figures yet.
    """

    over: Range
    events: int
    by: Mapping[str, Sequence[tuple[str, int]]]
    worth: Mapping[str, tuple[Decimal, int]]
    notes: Sequence[str]


def of(over: Range) -> Tops:
    """Return the tops of the range, which is made to begin with a quarter-hour. Raises `django.db.Error`.

    If very many events are in no bucket yet, the range ends where the counting has come to.
    """
    with snapshot():
        over = Range(beginning(over.start), over.end)
        with_newest = is_counted()
        if not with_newest:
            over = Range(over.start, _counted_until(over))
        last = beginning(over.end)
        whole = Range(over.start, last if last == over.end else last + QUARTER)
        asked = Asked(whole, time=Time.ARRIVED, with_newest=with_newest)
        total = figures(asked)
        return Tops(
            over,
            sum(row[EVENTS.name] for row in total.rows),
            {name: _most(replace(asked, by=(name,)), name) for name in DIMENSIONS},
            _worth(replace(asked, metrics=(VALUED.name, VALUE.name))),
            total.notes,
        )


def _counted_until(over: Range) -> datetime:
    progress = Progress.objects.first()
    return over.start + QUARTER if progress is None else max(min(progress.until, over.end), over.start + QUARTER)


def _most(asked: Asked, name: str) -> list[tuple[str, int]]:
    found = [(row[name], row[EVENTS.name]) for row in figures(replace(asked, metrics=(EVENTS.name,))).rows]
    known = sorted(((value, number) for value, number in found if value is not None), key=lambda one: (-one[1], one[0]))
    return known[:SHOWN]


def _worth(asked: Asked) -> dict[str, tuple[Decimal, int]]:
    valued = [row for row in figures(asked).rows if row["currency"] is not None]
    first = sorted(valued, key=lambda row: (-row[VALUED.name], row["currency"]))[:SHOWN]
    return {row["currency"]: (row[VALUE.name], row[VALUED.name]) for row in first}
