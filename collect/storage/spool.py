"""Where events wait, fsynced on local disk, while the database cannot take them. No other module knows its SQL.

The keys that are known when a worker starts without the database are kept here too (`keys/kept.py`), and what the
ledger could not be told (`ledger/writing.py`).

Each group is one transaction of SQLite, in WAL mode with `synchronous=FULL`, so an event is in the spool or not at all.
It leaves only after the database has it. If it is taken twice, as after a crash between the two, it is stored once,
because of its id.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import randint
from typing import NamedTuple

from django.conf import settings
from django.db import OperationalError, connection, connections, transaction

from collect.storage import rows
from collect.storage.rows import Arrival, Row
from collect.storage.spool_file import ALIAS, PAGE_BYTES
from runtime.hub import OwnThread

_SELECTED = "SELECT id, document, body, request_id FROM spooled"

# To count more than this one by one would read a file of a gigabyte, in the thread that takes events.
_COUNTED = 10_000
_STATUS = """SELECT (SELECT coalesce(max(id) - min(id) + 1, 0) FROM spooled),
    (SELECT received_at FROM spooled ORDER BY id LIMIT 1),
    page_count - freelist_count, (SELECT count(*) FROM set_aside) FROM pragma_page_count(), pragma_freelist_count()"""

# In the worker's own thread, SQLite would hold up every other request.
_in_its_thread = OwnThread()


class Spooled(NamedTuple):
    """An arrival that waits, and its place in the order of arrival."""

    place: int
    arrival: Arrival


class SpoolStatus(NamedTuple):
    """How many events wait, since when the oldest has waited (None if there is none), and their size on disk in bytes.

    `set_aside` is the number of events that the database has refused for good; `events` does not include them.
    """

    events: int
    oldest: datetime | None
    bytes: int
    set_aside: int


def is_enabled() -> bool:
    """Tell whether there is a spool: only with PostgreSQL, since a SQLite database is on the same disk as the spool."""
    return connection.vendor == "postgresql"


def prepare() -> None:
    """Make the directory of the spool. The tables are made when a connection is opened. Raises OSError."""
    Path(settings.SPOOL_PATH).parent.mkdir(parents=True, exist_ok=True)


@_in_its_thread
def append(arrivals: Sequence[Arrival]) -> None:
    """Store the arrivals durably. Raises `django.db.Error` if that fails, and then none of them is stored."""
    values = [(a.row.received_at.isoformat(), a.request_id, a.document, a.body) for a in arrivals]
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.executemany(
            "INSERT INTO spooled (received_at, request_id, document, body) VALUES (%s, %s, %s, %s)", values
        )


@_in_its_thread
def take(limit: int) -> list[Spooled]:
    """Return the first `limit` arrivals in the order in which they came. They stay until they are discarded."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"{_SELECTED} ORDER BY id LIMIT %s", [limit])
        return [_spooled(*row) for row in cursor.fetchall()]


def _spooled(place: int, document: bytes, body: bytes, request_id: str) -> Spooled:
    return Spooled(place, Arrival(rows.decode(document), bytes(document), bytes(body), request_id))


@_in_its_thread
def sample(number: int, but: int | None = None) -> list[Spooled]:
    """Return up to `number` of the waiting arrivals, each once, taken at random; never the one at the place `but`.

    At least one is returned if there is one.
    """
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT min(id), max(id) FROM spooled WHERE id IS NOT %s", [but])
        first, last = cursor.fetchone()
        if first is None:
            return []
        found: dict[int, tuple[int, bytes, bytes, str]] = {}
        for _ in range(number):
            start = randint(first, last)  # noqa: S311
            cursor.execute(f"{_SELECTED} WHERE id >= %s AND id IS NOT %s ORDER BY id LIMIT 1", [start, but])
            found.update((row[0], row) for row in cursor.fetchall())
    return [_spooled(*row) for row in found.values()]


@_in_its_thread
def discard(spooled: Sequence[Spooled]) -> None:
    """Delete arrivals that the database now has: all from the first to the last of these."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("DELETE FROM spooled WHERE id BETWEEN %s AND %s", [spooled[0].place, spooled[-1].place])


@_in_its_thread
def set_aside(one: Spooled, reason: str) -> None:
    """Move an event that the database refuses out of the queue, and keep it with the reason.

    The event was acknowledged, so it is kept until somebody looks into it.
    """
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute("INSERT INTO set_aside SELECT spooled.*, %s FROM spooled WHERE id = %s", [reason, one.place])
        cursor.execute("DELETE FROM spooled WHERE id = %s", [one.place])


@_in_its_thread
def bring_back() -> int:
    """Put the events that were set aside back at the end of the queue, and return how many they were."""
    columns = "received_at, request_id, document, body"
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute(f"INSERT INTO spooled ({columns}) SELECT {columns} FROM set_aside ORDER BY id")  # noqa: S608
        cursor.execute("DELETE FROM set_aside")
        return int(cursor.rowcount)


@_in_its_thread
def find(matches: Callable[[Row], bool]) -> list[Row]:
    """Return the rows that match, both waiting ones and those set aside."""
    return [row for _, _, row in _find(matches)]


@_in_its_thread
def erase(matches: Callable[[Row], bool]) -> int:
    """Delete the rows that match, waiting or set aside, so that no bytes of them stay in the file; return how many.

    Raises OperationalError while somebody reads the spool: its log then still holds the deleted rows.
    """
    found = _find(matches)
    with connections[ALIAS].cursor() as cursor:
        for table, place, _ in found:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [place])  # noqa: S608
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if cursor.fetchone()[0]:
            raise OperationalError("the spool is being read, and its log still has what was deleted: try again")
    return len(found)


def _find(matches: Callable[[Row], bool]) -> list[tuple[str, int, Row]]:
    found = []
    with connections[ALIAS].cursor() as cursor:
        for table in ("spooled", "set_aside"):
            cursor.execute(f"SELECT id, document FROM {table} ORDER BY id")  # noqa: S608
            while part := cursor.fetchmany(1000):
                found += [(table, place, row) for place, text in part if matches(row := rows.decode(text))]
    return found


@_in_its_thread
def reasons() -> list[tuple[str, int]]:
    """Return the reasons why events were set aside, with the number of events: the 20 most frequent ones."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT reason, count(*) FROM set_aside GROUP BY reason ORDER BY count(*) DESC LIMIT 20")
        return [(reason, int(events)) for reason, events in cursor.fetchall()]


@_in_its_thread
def status() -> SpoolStatus:
    """Return the state of the spool; very many events are counted by their places, of which some may be free.

    Raises `django.db.Error` if the spool cannot be read.
    """
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(_STATUS)
        events, oldest, pages, set_aside = cursor.fetchone()
        if events <= _COUNTED:
            cursor.execute("SELECT count(*) FROM spooled")
            (events,) = cursor.fetchone()
    moment = None if oldest is None else datetime.fromisoformat(oldest).astimezone(UTC)
    return SpoolStatus(events, moment, pages * PAGE_BYTES, set_aside)


@_in_its_thread
def head() -> int | None:
    """Return the place of the first arrival, or None if nothing waits."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT min(id) FROM spooled")
        found: int | None = cursor.fetchone()[0]
    return found


@_in_its_thread
def load_keys() -> bytes | None:
    """Return what `save_keys` has kept, or None. Raises `django.db.Error` if the spool cannot be read."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT document FROM kept_keys")
        found = cursor.fetchone()
    return None if found is None else bytes(found[0])


@_in_its_thread
def save_keys(document: bytes) -> None:
    """Put the document in the place of the one before. Raises `django.db.Error` if that fails."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("REPLACE INTO kept_keys (id, document) VALUES (1, %s)", [document])


@_in_its_thread
def keep_counts(name: str, document: bytes) -> None:
    """Keep a batch of the ledger until it can be told. Raises `django.db.Error` if that fails."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("INSERT OR IGNORE INTO counts (id, document) VALUES (%s, %s)", [name, document])


@_in_its_thread
def counts(limit: int) -> list[tuple[str, bytes]]:
    """Return up to `limit` of the batches that `keep_counts` has kept, with their names."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT id, document FROM counts LIMIT %s", [limit])
        return [(name, bytes(document)) for name, document in cursor.fetchall()]


@_in_its_thread
def discard_counts(names: Sequence[str]) -> None:
    """Delete batches that the ledger now has."""
    with connections[ALIAS].cursor() as cursor:
        cursor.executemany("DELETE FROM counts WHERE id = %s", [(name,) for name in names])
