"""What the newest events of a range have most often: names, tags, places, browsers, and what they are worth."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db.models import Count, F, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Length

from collect.models import Event
from collect.storage import rows
from reporting.ranges import Range

# The most events that are looked at: the newest of the range.
LOOKED_AT = 20_000
SHOWN = 7
DIMENSIONS = ("event_name", "tag_id", "geo_country", "ua_browser", "ua_bot_reason")
# A value with more digits is no amount of money.
_MAX_DIGITS = 30


@dataclass(frozen=True, slots=True)
class Tops:
    """The most frequent values of each dimension among `events` events, which are all of the range or its newest.

    `since` is the moment of the oldest event that was looked at. `worth` is the sum of `params.value` by currency, and
    the number of events that have both.
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
    looked: QuerySet[Event] = within if first is None else within.filter(pk__gt=first)
    looked = looked.filter(is_test=False)
    by = {name: _most(looked, name) for name in DIMENSIONS}
    oldest = looked.order_by("pk").values_list("received_at", flat=True).first()
    return Tops(looked.order_by().count(), first is None, oldest, by, _worth(looked))


def _id(moment: datetime) -> UUID:
    return UUID(rows.uuid7(moment, 0))


def _most(events: "QuerySet[Event]", name: str) -> list[tuple[str, int]]:
    counts = events.order_by().exclude(**{f"{name}__isnull": True}).values_list(name).annotate(number=Count("pk"))
    return [(value, number) for value, number in counts.order_by("-number", name)[:SHOWN]]


def _worth(events: "QuerySet[Event]") -> dict[str, tuple[Decimal, int]]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    numbers: Counter[str] = Counter()
    found = events.order_by().annotate(
        worth=KeyTextTransform("value", F("params")), money=KeyTextTransform("currency", F("params"))
    )
    # The lengths are looked at by the database: a text may have a megabyte.
    amounts = found.annotate(digits=Length("worth"), letters=Length("money")).filter(digits__lte=_MAX_DIGITS, letters=3)
    for worth, money in amounts.values_list("worth", "money"):
        amount, currency = _amount(worth), str(money).upper()
        if amount is not None and currency.isascii() and currency.isalpha():
            sums[currency] += amount
            numbers[currency] += 1
    return {currency: (sums[currency], number) for currency, number in numbers.most_common(SHOWN)}


def _amount(text: Any) -> Decimal | None:
    try:
        amount = Decimal(str(text))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < 10**15 else None
