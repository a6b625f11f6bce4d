"""When each key was last used: noted at each request, written by the thread of `housekeeping`."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import Error as DatabaseError
from django.db import connection

from keys.models import ApiKey
from runtime.hub import OwnThread

logger = logging.getLogger(__name__)

# How exact `last_used_at` is. A busy key costs one write in this time, not one for each request.
RESOLUTION = timedelta(minutes=1)


class LastUses:
    """The uses that are not written yet. `known` gives the key with a prefix as it was last read, or None."""

    def __init__(self, known: Callable[[str], ApiKey | None]) -> None:
        self._known = known
        self._used: dict[str, datetime] = {}
        self._fails = False

    def mark(self, key: ApiKey) -> None:
        """Note that the key has just been used; `write` writes it to the database."""
        self._used[key.prefix] = datetime.now(UTC)

    def write(self) -> bool:
        """Write `last_used_at` of the keys used since the last call, for each at most once a minute.

        Return False where that failed. The moment may be up to a minute before the last use, never after it. If two
        processes write at the same time, the earlier moment may win; the difference is one round of the thread at most.
        """
        used, self._used = self._used, {}
        # Copied, because a thread that read the attribute before the swap may still add to the old dict.
        due = [row for prefix, at in used.copy().items() if (row := self._due(prefix, at)) is not None]
        try:
            _save(due)
        except DatabaseError:
            if not self._fails:
                logger.exception("keys: last_used_at cannot be written")
            self._fails = True
            self._used = used | self._used
            return False
        self._fails = False
        return True

    def _due(self, prefix: str, used_at: datetime) -> ApiKey | None:
        """Return a row that carries only the use, or None if the use need not be written.

        It is a new object, because the remembered one is shared between requests.
        """
        key = self._known(prefix)
        if key is None or (key.last_used_at is not None and used_at - key.last_used_at < RESOLUTION):
            return None
        return ApiKey(pk=key.pk, last_used_at=used_at)


# SQLite would hold up the requests of the worker while it waits to write.
@OwnThread(lambda: connection.vendor == "sqlite")
def _save(due: Sequence[ApiKey]) -> None:
    try:
        ApiKey.objects.bulk_update(due, ["last_used_at"], batch_size=500)
    finally:
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            connection.close()
