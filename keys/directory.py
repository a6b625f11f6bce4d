"""Keeps the keys that this process has met in memory, so that a request with a known key asks no database.

It must never hold a raw key (only digests are read), never call a key unknown because the database does not answer,
and never trust what it read for longer than this:

- A key is trusted for `TRUST_SECONDS` after it was read. The thread of `housekeeping` reads all known keys again well
  before that. Only a request with a new key has to ask the database, or one in a process whose thread is missing or
  stuck. A revocation is thus seen everywhere within 5 s.
- While the database does not answer, known keys keep working for `AUTH_STALE_SECONDS`, and no request with one waits.
  The thread reads the keys that are in use as soon as it starts; until then those of `kept` are known.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from cachetools import FIFOCache
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from keys.kept import Keeper, Store, deciding
from keys.last_used import LastUses
from keys.loading import load, load_likely
from keys.models import ApiKey
from runtime import failures, metrics, outage
from runtime.circuit import Circuit
from runtime.hub import taking_turns
from runtime.refusals import Unavailable

logger = logging.getLogger(__name__)

TRUST_SECONDS = 4.0
# How long a prefix that no key has is remembered as unknown.
UNKNOWN_SECONDS = 2.0
# At most ASKING requests ask the database at the same time, each on a connection of its own; the others wait up to
# TURN_SECONDS for a turn. This keeps a flood of made-up prefixes from taking all of the database's connections.
ASKING = 4
TURN_SECONDS = 2.0
# The most keys that are remembered, and separately the most unknown prefixes: a few megabytes of each.
CAPACITY = 10_000
# Keys that are read again in one statement: to make objects of so many takes some milliseconds.
REFRESHED = 500
# The most keys that are read at the start, and kept for one without the database: those used last, then the newest.
PRELOADED = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as it was when the database was asked."""

    key: ApiKey
    read_at: float


class Directory:
    """A bounded memory of keys. Reading takes no lock. Changing takes one for a short time, never during a query."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        database: Circuit = outage.database,
        capacity: int = CAPACITY,
        preloaded: int = PRELOADED,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._clock = clock
        # While this circuit is open, requests do not ask the database.
        self._database = database
        # These drop the oldest entry, not the least recently used: reading takes no lock and so must change nothing.
        self._known: FIFOCache[str, Entry] = FIFOCache(capacity)
        self._unknown: FIFOCache[str, float] = FIFOCache(capacity)
        # What was kept for a start without the database, until the database has answered.
        self._kept: dict[str, Entry] = {}
        self._keeper = Keeper(None, preloaded)
        self._partners: dict[int, str] = {}
        self._is_preloaded = False
        self._preloaded = preloaded
        self._turn_seconds = turn_seconds
        # Counted here and published by the thread, because a metric costs more than the look-up.
        self._hits = self._misses = 0
        self._changing = threading.Lock()
        self._turns = threading.BoundedSemaphore(ASKING)
        uses = LastUses(self.remembered)
        self.mark_used, self.write_uses = uses.mark, uses.write

    def find(self, prefix: str) -> ApiKey | None:
        """Return the key with this prefix, whatever its state, or None where there is none.

        Raises Unavailable where the database would have to be asked and does not answer.
        """
        key = self.trusted(prefix)
        return self._ask(prefix) if key is None and not self._is_unknown(prefix) else key

    def trusted(self, prefix: str) -> ApiKey | None:
        """Return the key with this prefix, whatever its state, if it was read within `TRUST_SECONDS`."""
        entry = self._entry(prefix)
        if entry is None or self._clock() - entry.read_at >= TRUST_SECONDS:
            return None
        self._hits += 1
        return entry.key

    def _entry(self, prefix: str) -> Entry | None:
        """Return the remembered entry, or None.

        `get` would look twice, and another thread could remove the entry in between.
        """
        try:
            return self._known[prefix]
        except KeyError:
            return None

    def _is_unknown(self, prefix: str) -> bool:
        try:
            return self._clock() - self._unknown[prefix] < UNKNOWN_SECONDS and prefix not in self._known
        except KeyError:
            return False

    def remembered(self, prefix: str) -> ApiKey | None:
        """Return the key if this process knows it."""
        entry = self._entry(prefix)
        return None if entry is None else entry.key

    def _ask(self, prefix: str) -> ApiKey | None:
        """Read one key on the request's own connection. A known key does not wait for a turn.

        Raises Unavailable where the database does not answer and no recent entry is known.
        """
        self._misses += 1
        if self._database.is_open or not self._turns.acquire(
            timeout=0 if prefix in self._known else self._turn_seconds
        ):
            return self._fall_back(prefix)
        try:
            return self._read(prefix)
        except DatabaseError as exc:
            self._database.open(exc)
            return self._fall_back(prefix)
        finally:
            # Done here, because the short road for senders does not tell Django when a request ends.
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            self._turns.release()

    def _read(self, prefix: str) -> ApiKey | None:
        """Return the key from the database, or as another request has read it while this one waited for its turn.

        Raises `django.db.Error` where the database fails.
        """
        asked_at = self._clock()
        entry = self._entry(prefix)
        if entry is not None and asked_at - entry.read_at < TRUST_SECONDS:
            return entry.key
        key = load([prefix]).get(prefix)
        self._database.close()
        with self._changing:
            return self._remember(prefix, key, asked_at)

    def _remember(self, prefix: str, key: ApiKey | None, asked_at: float) -> ApiKey | None:
        """Keep the answer to a question asked at `asked_at`, and return the newest known answer.

        The answer to a later question is not overwritten.
        """
        current = self._known.get(prefix)
        if current is not None and current.read_at > asked_at:
            return current.key
        self._kept.pop(prefix, None)
        if deciding(None if current is None else current.key) != deciding(key):
            self._keeper.is_changed = True
        if key is None:
            self._known.pop(prefix, None)
            self._unknown[prefix] = asked_at
        else:
            self._unknown.pop(prefix, None)
            self._known[prefix] = Entry(key, asked_at)
            self._partners[key.partner_id] = key.partner.name
        return key

    def _fall_back(self, prefix: str) -> ApiKey:
        """Return the key as it was last read. Raises Unavailable if it never was, or too long ago."""
        entry = self._entry(prefix) or self._kept.get(prefix)
        if entry is None or self._clock() - entry.read_at >= settings.AUTH_STALE_SECONDS:
            raise Unavailable
        return entry.key

    def knows_any(self) -> bool:
        """Tell whether there is a key that would be accepted now if the database did not answer."""
        asked_after = self._clock() - settings.AUTH_STALE_SECONDS
        with self._changing:
            entries = [*self._known.values(), *self._kept.values()]
        return any(entry.read_at > asked_after and entry.key.is_active() for entry in entries)

    def forget(self, prefix: str) -> None:
        """Forget this prefix, so that its next request asks the database. For the process that has changed the key."""
        with self._changing:
            self._known.pop(prefix, None)
            self._unknown.pop(prefix, None)
            self._kept.pop(prefix, None)
            self._keeper.is_changed = True

    def keep_in(self, store: Store) -> None:
        """Know the keys that `store` has until the database answers, and keep the keys last used there from now on."""
        self._keeper = Keeper(store, self._preloaded)
        keys, age = self._keeper.recall()
        read_at = self._clock() - age
        with self._changing:
            self._kept = {key.prefix: Entry(key, read_at) for key in keys}
            self._partners.update((key.partner_id, key.partner.name) for key in keys)
        logger.info("keys: those that were kept are known", extra={"keys": len(keys)})

    def _keep(self) -> bool:
        """Keep the keys last used for a start without the database. Return False where the database failed."""
        try:
            self._keeper.turn()
        except DatabaseError as exc:
            self._database.open(exc)
            return False
        return True

    def preload(self) -> bool:
        """Read, once, the keys that are likely to be used. Return False where the database does not answer."""
        if self._is_preloaded:
            return True
        asked_at = self._clock()
        try:
            keys = load_likely(self._preloaded)
        except DatabaseError as exc:
            self._database.open(exc)
            return False
        with self._changing:
            for key in keys:
                self._remember(key.prefix, key, asked_at)
            self._kept.clear()
        self._is_preloaded = True
        logger.info("keys: those in use are known", extra={"keys": len(keys)})
        return True

    def partner_name(self, partner_id: int) -> str:
        """Return the name of a partner if one of its keys was met, otherwise `#` and its id.

        This is for metrics, not for decisions.
        """
        return self._partners.get(partner_id) or f"#{partner_id}"

    def refresh(self) -> bool:
        """Read every known key again, `REFRESHED` at a time. Return False where the database does not answer."""
        with self._changing:
            prefixes = list(self._known)
        # For an empty list Django would send no query, and this query is also how the end of an outage is noticed.
        steps = [prefixes[start : start + REFRESHED] for start in range(0, len(prefixes), REFRESHED)] or [[""]]
        return all(self._refresh(step) for step in taking_turns(steps, 1))

    def _refresh(self, prefixes: Collection[str]) -> bool:
        asked_at = self._clock()
        try:
            keys = failures.again_if_cut(lambda: load(prefixes))
        except DatabaseError as exc:
            self._database.open(exc)
            return False
        self._database.close()
        with self._changing:
            for prefix in prefixes:
                # A key that was forgotten meanwhile had changed, perhaps after these rows were read.
                if prefix in self._known:
                    self._remember(prefix, keys.get(prefix), asked_at)
        return True

    def housekeep(self) -> bool:
        """Do one round of the thread's work. Return False where the database failed."""
        self._publish()
        return self.preload() and self.refresh() and self._keep() and self.write_uses()

    def _publish(self) -> None:
        hits, misses, self._hits, self._misses = self._hits, self._misses, 0, 0
        metrics.AUTH_LOOKUPS.labels("hit").inc(hits)
        metrics.AUTH_LOOKUPS.labels("miss").inc(misses)


# The directory of this process. Callers use it through this module, as in `directory.find(prefix)`.
shared = Directory()
find = shared.find
trusted = shared.trusted
forget = shared.forget
mark_used = shared.mark_used
remembered = shared.remembered
partner_name = shared.partner_name
housekeep = shared.housekeep
keep_in = shared.keep_in
knows_any = shared.knows_any
