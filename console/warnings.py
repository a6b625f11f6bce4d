"""Warnings about keys and partners, which an operator should see without looking for them: a few queries.

They stay cheap with any number of events. To find silent partners, the query asks of each hour only whether it has an
event, through the index on partner and time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from collect.models import Event
from collect.storage.outcomes import Outcome
from keys.models import ApiKey, KeyChange, Partner, State
from reporting import traffic
from reporting.ranges import Range
from reporting.traffic import Whose
from runtime import display

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A key with so many events, all of them refused, is used in vain.
REFUSED_EVENTS = 5
# A live key that nobody has used for this long is a risk without a use.
UNUSED = timedelta(days=90)
# A partner that sent events in each of this many hours, but none in the hour after them, has fallen silent.
STEADY_HOURS = 24
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
    return [*_still_used(now), *_always_refused(now), *_silent(now), *_expiring(), *_unused(now)]


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


def _always_refused(now: datetime) -> Iterator[Warning]:
    by_key = traffic.by("api_key", Range(now - DAY, now + HOUR), Whose(is_test=None))
    refused = {
        key: found.outcomes[Outcome.REJECTED]
        for key, found in by_key.items()
        if found.received >= REFUSED_EVENTS and found.outcomes[Outcome.REJECTED] == found.received
    }
    for key in ApiKey.objects.filter(pk__in=refused).select_related("partner").order_by("pk")[:SHOWN]:
        yield Warning(f"is used and always refused: all {refused[key.pk]:,} events of the last day", key.partner, key)


def _silent(now: datetime) -> Iterator[Warning]:
    def sent(first: timedelta, last: timedelta) -> Exists:
        events = Event.objects.filter(partner=OuterRef("pk"), is_test=False)
        return Exists(events.filter(received_at__gte=now - first, received_at__lt=now - last))

    hours = [Q(sent(HOUR * (n + 1), HOUR * n)) for n in range(1, STEADY_HOURS + 1)]
    for partner in Partner.objects.filter(~sent(HOUR, -HOUR), *hours)[:SHOWN]:
        yield Warning(f"sent in each of {STEADY_HOURS} hours, and nothing in the last one", partner)


def _expiring() -> Iterator[Warning]:
    for key in ApiKey.objects.in_state(State.EXPIRING).select_related("partner").order_by("expires_at")[:SHOWN]:
        yield Warning(f"expires at {display.minute(key.expires_at)} UTC", key.partner, key)


def _unused(now: datetime) -> Iterator[Warning]:
    live = ApiKey.objects.usable().filter(is_test=False).alias(seen=Coalesce("last_used_at", "created_at"))
    for key in live.filter(seen__lt=now - UNUSED).select_related("partner").order_by("seen")[:SHOWN]:
        event = "" if key.last_used_at else "it was issued, "
        day = display.day(key.last_used_at or key.created_at)
        yield Warning(f"has not been used since {event}{day}", key.partner, key)
