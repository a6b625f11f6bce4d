"""Who uses a key, which an operator looks at before ending it. Events are found by their partner and time."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from collect.models import Event
from keys.models import ApiKey

HOUR = timedelta(hours=1)
SHOWN_ADDRESSES = 10
# The most events of the partner that are looked at, the newest.
LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Use:
    """The events that came with a key in the last hour, the addresses that sent most, and the time that it has left.

    `is_whole` is False if the partner sent more than are looked at: then they are of the newest `LOOKED_AT`.
    `minutes_left` is None for a key that does not expire, 0 for one that has ended.
    """

    key: ApiKey
    events: int
    is_whole: bool
    addresses: tuple[tuple[str, int], ...]
    minutes_left: int | None


def of(key: ApiKey) -> list[Use]:
    """Return the use of the key, and of the key whose place it took."""
    return [_use(one) for one in (key, key.replaces) if one is not None]


def _use(key: ApiKey) -> Use:
    # Of the partner's, because there is an index on partner and time, and none on the key.
    newest = Event.objects.filter(partner=key.partner_id, received_at__gte=timezone.now() - HOUR)
    looked_at = newest.order_by("-received_at").values("pk")[:LOOKED_AT]
    events = Event.objects.filter(pk__in=looked_at, api_key=key)
    by_address = events.values_list("ip_address").annotate(events=Count("id")).order_by("-events")
    counts = [(address or "unknown", number) for address, number in by_address]
    is_whole = not newest.order_by("-received_at")[LOOKED_AT : LOOKED_AT + 1].exists()
    number = sum(number for _, number in counts)
    return Use(key, number, is_whole, tuple(counts[:SHOWN_ADDRESSES]), _minutes_left(key))


def _minutes_left(key: ApiKey) -> int | None:
    if not key.is_active():
        return 0
    return None if key.expires_at is None else int((key.expires_at - timezone.now()).total_seconds() // 60)
