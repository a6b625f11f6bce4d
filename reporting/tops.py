"""What the newest events of a range have most often: names, tags, places, browsers, and what they are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, QuerySet, Sum

from collect.models import Event
from collect.storage import rows
from reporting.models import ReportedEvent
from reporting.ranges import Range
from reporting.views.columns import SCALE

# The most events that are looked at: the newest of the range.
LOOKED_AT = 20_000
SHOWN = 7
DIMENSIONS = ("event_name", "tag_id", "geo_country", "ua_browser", "ua_bot_reason")


@dataclass(frozen=True, slots=True)
class Tops:
    """The most frequent values of each dimension among `events` events, which are all of the range or its newest.

    `since` is the moment of the oldest event that was looked at. `worth` is the sum of their values by currency, and
    the number of events that have one.
    """

    events: int
    is_whole: bool
    since: datetime | None
    by: Mapping[str, Sequence[tuple[str, int]]]
    worth: Mapping[str, tuple[Decimal, int]]


def of(over: Range, looked_at: int | None = None) -> Tops:
    """Return the tops of the range's live events. It reads at most `looked_at` events, through the primary key."""
    looked_at = looked_at or LOOKED_AT
    within = Event.objects.filter(pk__gte=_id(over.start), pk__lt=_id(over.end)).order_by("-pk")
    first = within[looked_at : looked_at + 1].values_list("pk", flat=True).first()
    bounds = {"pk__gte": _id(over.start), "pk__lt": _id(over.end)} | ({} if first is None else {"pk__gt": first})
    looked = Event.objects.filter(is_test=False, **bounds)
    by = {name: _most(looked, name) for name in DIMENSIONS}
    oldest = looked.order_by("pk").values_list("received_at", flat=True).first()
    return Tops(looked.order_by().count(), first is None, oldest, by, _worth(ReportedEvent.objects.filter(**bounds)))


def _id(moment: datetime) -> UUID:
    return UUID(rows.uuid7(moment, 0))


def _most(events: "QuerySet[Event]", name: str) -> list[tuple[str, int]]:
    counts = events.order_by().exclude(**{f"{name}__isnull": True}).values_list(name).annotate(number=Count("pk"))
    return [(value, number) for value, number in counts.order_by("-number", name)[:SHOWN]]


def _worth(events: "QuerySet[ReportedEvent]") -> dict[str, tuple[Decimal, int]]:
    """Return what the events are worth by currency, by the rule that all reports have (`reporting/views`)."""
    valued = events.order_by().exclude(currency=None).values_list("currency")
    sums = valued.annotate(total=Sum("value_e4"), number=Count("pk")).order_by("-number", "currency")[:SHOWN]
    return {currency: (Decimal(total) / SCALE, number) for currency, total, number in sums}
