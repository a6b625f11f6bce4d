"""Warnings about keys and partners, which an operator should see without looking for them: a few queries.

They stay cheap with any number of events: what partners send is asked of the ledger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Coalesce
from django.utils import timezone

from keys.models import ApiKey, KeyChange, Partner, State
from reporting.ranges import Range
from reporting.senders import partners
from runtime import display

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A live key that nobody has used for this long is a risk without a use.
UNUSED = timedelta(days=90)
# The most warnings of one kind. Whoever has more to look at needs the list of keys itself.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Warning:  # the word that people use
    """One line for the operator; about `key`, or about the whole partner where that is None."""

    text: str
    partner: Partner
    key: ApiKey | None = None


def find() -> list[Warning]:
    """Return all warnings that there are now."""
    now = timezone.now()
    ids = list(Partner.objects.values_list("pk", flat=True))
    return [*_still_used(now), *_always_refused(ids, now), *_silent(ids, now), *_expiring(), *_unused(now)]


def _still_used(now: datetime) -> Iterator[Warning]:
    refused = KeyChange.objects.filter(
        what=KeyChange.What.REFUSED, detail__in=(State.REVOKED, State.EXPIRED), at__gte=now - DAY
    )
    told: set[int] = set()
    for change in refused.select_related("key__partner").order_by("-at")[: SHOWN * 25]:
        if change.key_id not in told and len(told) < SHOWN:
            told.add(change.key_id)
            place = f" from {change.address}" if change.address else ""
            text = f"is {change.key.state} and still being used{place}, last seen {display.minute(change.at)} UTC"
            yield Warning(text, change.key.partner, change.key)


def _always_refused(ids: Sequence[int], now: datetime) -> Iterator[Warning]:
    refused = {key: events for _, key, events in partners.always_refused(ids, Range(now - DAY, now + HOUR))}
    for key in ApiKey.objects.filter(pk__in=refused).select_related("partner").order_by("pk")[:SHOWN]:
        yield Warning(f"is used and always refused: all {refused[key.pk]:,} events of the last day", key.partner, key)


def _silent(ids: Sequence[int], now: datetime) -> Iterator[Warning]:
    silent = partners.silent(ids, now)
    for partner in Partner.objects.filter(pk__in=silent).order_by("name")[:SHOWN]:
        yield Warning(f"silent since {display.minute(silent[partner.pk])} UTC, and sent hour by hour before", partner)


def _expiring() -> Iterator[Warning]:
    for key in ApiKey.objects.in_state(State.EXPIRING).select_related("partner").order_by("expires_at")[:SHOWN]:
        yield Warning(f"expires at {display.minute(key.expires_at)} UTC", key.partner, key)


def _unused(now: datetime) -> Iterator[Warning]:
    live = ApiKey.objects.usable().filter(is_test=False).alias(seen=Coalesce("last_used_at", "created_at"))
    for key in live.filter(seen__lt=now - UNUSED).select_related("partner").order_by("seen")[:SHOWN]:
        event = "" if key.last_used_at else "it was issued, "
        day = display.day(key.last_used_at or key.created_at)
        yield Warning(f"has not been used since {event}{day}", key.partner, key)
