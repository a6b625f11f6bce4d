"""Keeps the keys last used outside the database, so that a worker that starts during an outage knows them.

Where they are kept is up to a `Store`, which `thrad_events/workers.py` hands over. Nothing of a raw key is kept but its
digest, as in the database. What is kept is as old as the database's answer and is trusted no longer than what a worker
has in memory (`AUTH_STALE_SECONDS`).
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Protocol

import msgspec
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from keys.models import ApiKey, Partner

logger = logging.getLogger(__name__)

# How often the keys are written although none has changed: so much may be missing of the time for which they work.
KEEP_SECONDS = 60.0


class Store(Protocol):
    """A place for one document that survives a restart. Both methods may raise `django.db.Error` or OSError."""

    def load_keys(self) -> bytes | None:
        """Return the document saved last, or None."""

    def save_keys(self, document: bytes) -> None:
        """Put the document in the place of the one before."""


class _Key(msgspec.Struct, frozen=True):
    """What is needed to accept a key and to stamp its events. It is not revoked."""

    pk: int
    prefix: str
    digest: str
    partner_id: int
    partner_name: str
    is_test: bool
    expires_at: datetime | None
    tags: list[str]
    networks: list[str]
    per_second: int | None
    per_day: int | None

    def model(self) -> ApiKey:
        """Return the key as the rest of the program knows it."""
        fields = msgspec.structs.asdict(self)
        partner = Partner(pk=fields.pop("partner_id"), name=fields.pop("partner_name"))
        return ApiKey(partner=partner, **fields)


_COLUMNS = [{"partner_name": "partner__name"}.get(name, name) for name in _Key.__struct_fields__]


class _Document(msgspec.Struct, frozen=True):
    """The keys as the database had them at a moment, and which database that was."""

    database: str
    read_at: float
    keys: list[_Key]


_decoder = msgspec.json.Decoder(_Document)


def _database() -> str:
    """Name the database: the ids of another one belong to others."""
    return "{HOST}:{PORT}/{NAME}".format_map(connection.settings_dict)


_deciding = attrgetter(
    "digest", "is_test", "expires_at", "revoked_at", "tags", "networks", "per_second", "per_day", "partner_id"
)


def deciding(key: ApiKey | None) -> tuple[object, ...] | None:
    """Return what decides on the requests of a key. If it changes, so must what is kept."""
    return None if key is None else _deciding(key)


class Keeper:
    """Writes up to `limit` keys to the store, and reads them at the start of a process; without a store, neither.

    Whoever sees that a key has changed sets `is_changed`.
    """

    def __init__(self, store: Store | None, limit: int, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._limit = limit
        self._clock = clock
        self._saved_at = float("-inf")
        self._fails = False
        self.is_changed = False

    def recall(self) -> tuple[list[ApiKey], float]:
        """Return the keys that are kept, and how many seconds ago the database was asked for them.

        None are returned where the store fails, which is logged, or has those of another database or another time.
        """
        try:
            found = self._store.load_keys() if self._store else None
            document = None if found is None else _decoder.decode(found)
        except (DatabaseError, OSError, msgspec.MsgspecError):
            logger.warning("keys: those that were kept cannot be read", exc_info=True)
            return [], 0.0
        if document is None or document.database != _database():
            return [], 0.0
        age = self._clock() - document.read_at
        # If the clock was set back, nobody knows by how much. A small difference is usual.
        if abs(age) >= settings.AUTH_STALE_SECONDS:
            return [], 0.0
        return [key.model() for key in document.keys], max(age, 0.0)

    def turn(self) -> None:
        """Keep the keys last used, if one has changed or those that are kept grow old.

        Raises `django.db.Error` where the database fails.
        """
        if self._store is None or not (self.is_changed or abs(self._clock() - self._saved_at) >= KEEP_SECONDS):
            return
        # Before the database is asked: a change from here on may not be in its answer.
        self.is_changed = False
        try:
            self._keep(self._store)
        except DatabaseError:
            self.is_changed = True
            raise

    def _keep(self, store: Store) -> None:
        """Read the keys last used from the database and write them to the store; if that fails, it is logged once."""
        read_at = self._clock()
        rows = ApiKey.objects.last_used(self._limit).values_list(*_COLUMNS)
        document = msgspec.json.encode(_Document(_database(), read_at, [_Key(*row) for row in rows]))
        self._saved_at = read_at
        try:
            store.save_keys(document)
        except (DatabaseError, OSError):
            if not self._fails:
                logger.exception("keys: those last used cannot be kept for an outage")
            self._fails = True
        else:
            self._fails = False
