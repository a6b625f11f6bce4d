"""Marks the quarter-hours of arrival in which the past changes, in the transaction that changes it.

Whoever counts events counts what is marked anew. New events need no mark: they are counted when they are settled.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from django.db import models

from collect.models import Event, Mark

QUARTER = timedelta(minutes=15)
# An event that is written later than this after it was received is of the past. With the time that a statement and
# its commit may take, that is less than what `SETTLED` leaves.
PAST_AFTER = timedelta(seconds=30)
SETTLED = timedelta(seconds=60)
# With more parts than this, which an unordered file has, all from the first to the last is counted anew.
_PARTS = 64


def past() -> datetime:
    """Return the moment before which an event must have been received to be marked if it is written now."""
    return datetime.now(UTC) - PAST_AFTER


def note(received: Iterable[tuple[int, datetime]]) -> None:
    """Mark events that are written, changed or deleted, by their partners and `received_at`.

    Call it in the transaction that does. Raises `django.db.Error`.
    """
    Mark.objects.bulk_create(Mark(partner_id=partner, start=start, end=end) for partner, start, end in times(received))


def times(received: Iterable[tuple[int, datetime]]) -> Iterator[tuple[int, datetime, datetime]]:
    """Yield the whole quarter-hours, as a partner, a beginning and an end, in which events were received."""
    quarters: dict[int, set[datetime]] = defaultdict(set)
    for partner, received_at in received:
        quarters[partner].add(beginning(received_at))
    for partner, found in quarters.items():
        for start, end in _parts(sorted(found)):
            yield partner, start, end


def note_all(events: "models.QuerySet[Event]") -> None:
    """Mark the time from the first to the last of these events, of each partner. Raises `django.db.Error`."""
    bounds = events.order_by().values_list("partner_id")
    for partner, first, last in bounds.annotate(models.Min("received_at"), models.Max("received_at")):
        Mark.objects.create(partner_id=partner, start=beginning(first), end=beginning(last) + QUARTER)


def beginning(moment: datetime) -> datetime:
    """Return the beginning of the quarter-hour of a moment."""
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def _parts(quarters: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the times that the quarter-hours make up, each without a gap."""
    borders = [place for place in range(1, len(quarters)) if quarters[place] - quarters[place - 1] > QUARTER]
    if len(borders) >= _PARTS:
        borders = []
    for first, last in zip([0, *borders], [*borders, len(quarters)], strict=True):
        yield quarters[first], quarters[last - 1] + QUARTER
