"""Who uses a key: what an operator looks at before ending one. Reads events by their partner and time alone."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from keys.models import ApiKey

HOUR = timedelta(hours=1)
SHOWN_ADDRESSES = 10


@dataclass(frozen=True, slots=True)
class Use:
    """What came with a key in the last hour, by the addresses that sent most; and the time that it has left.

    `minutes_left` is None for a key that does not expire, 0 for one that has ended.
    """

    key: ApiKey
    events: int
    addresses: tuple[tuple[str, int], ...]
    minutes_left: int | None


def of(key: ApiKey) -> list[Use]:
    """The use of the key, and of the one that it took the place of."""
    return [_use(one) for one in (key, key.replaces) if one is not None]


def _use(key: ApiKey) -> Use:
    # By partner too, whose index this goes by: there is none of the key.
    events = key.events.filter(partner=key.partner_id, received_at__gte=timezone.now() - HOUR)
    by_address = events.values_list("ip_address").annotate(events=Count("id")).order_by("-events")
    counts = [(address or "unknown", number) for address, number in by_address]
    return Use(key, sum(number for _, number in counts), tuple(counts[:SHOWN_ADDRESSES]), _minutes_left(key))


def _minutes_left(key: ApiKey) -> int | None:
    if not key.is_active():
        return 0
    return None if key.expires_at is None else int((key.expires_at - timezone.now()).total_seconds() // 60)
