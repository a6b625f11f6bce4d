"""Who uses a key, which an operator looks at before ending it. Events are found by their partner and time."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from keys.models import ApiKey

HOUR = timedelta(hours=1)
SHOWN_ADDRESSES = 10


@dataclass(frozen=True, slots=True)
class Use:
    """The events that came with a key in the last hour, the addresses that sent most, and the time that it has left.

    `minutes_left` is None for a key that does not expire, 0 for one that has ended.
    """

    key: ApiKey
    events: int
    addresses: tuple[tuple[str, int], ...]
    minutes_left: int | None


def of(key: ApiKey) -> list[Use]:
    """Return the use of the key, and of the key whose place it took."""
    return [_use(one) for one in (key, key.replaces) if one is not None]


def _use(key: ApiKey) -> Use:
    # Filtered by partner too, because there is an index on partner and time, and none on the key.
    events = key.events.filter(partner=key.partner_id, received_at__gte=timezone.now() - HOUR)
    by_address = events.values_list("ip_address").annotate(events=Count("id")).order_by("-events")
    counts = [(address or "unknown", number) for address, number in by_address]
    return Use(key, sum(number for _, number in counts), tuple(counts[:SHOWN_ADDRESSES]), _minutes_left(key))


def _minutes_left(key: ApiKey) -> int | None:
    if not key.is_active():
        return 0
    return None if key.expires_at is None else int((key.expires_at - timezone.now()).total_seconds() // 60)
