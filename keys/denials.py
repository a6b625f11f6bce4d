"""Records uses of a key that is revoked, expired, limited or on a foreign network.

The key's history gets at most one line per reason and hour. Only a request with the whole, correct key is recorded:
a stranger who knows no more than a prefix writes nothing.
"""

from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from keys.models import ApiKey, KeyChange

RESOLUTION = timedelta(hours=1)
# The most denials that wait to be written; a history can do without the others.
CAPACITY = 1_000


class _Denial(NamedTuple):
    key_id: int
    detail: str


class Denials:
    """The denials that wait to be written."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: dict[_Denial, str | None] = {}

    def mark(self, key: ApiKey, detail: str, address: str | None) -> None:
        """Note that `key` was denied for this reason, from this address; `write` puts it into the key's history."""
        if len(self._waiting) < self._capacity:
            self._waiting[_Denial(key.pk, detail)] = address

    def write(self) -> None:
        """Write the denials noted since the last call, except those that the history has within the last hour.

        Raises `django.db.Error` where the database fails; the denials then wait for the next call.
        """
        if not self._waiting:
            return
        found = dict(self._waiting)
        told = set(
            KeyChange.objects.filter(
                what=KeyChange.What.REFUSED,
                at__gte=timezone.now() - RESOLUTION,
                key__in={denial.key_id for denial in found},
            ).values_list("key_id", "detail")
        )
        KeyChange.objects.bulk_create(
            KeyChange(key_id=key_id, what=KeyChange.What.REFUSED, by_name="sender", address=address, detail=detail)
            for (key_id, detail), address in found.items()
            if (key_id, detail) not in told
        )
        for denial in found:
            self._waiting.pop(denial, None)


# The denials of this process. Callers use them through this module, as in `denials.mark(key, …)`.
shared = Denials()
mark = shared.mark
write = shared.write
