"""Where events wait, fsynced on local disk, while the database cannot take them. Nobody else knows its SQL.

An event is in the spool or not at all: one transaction of SQLite in WAL with `synchronous=FULL` for each group. It
leaves only after the database has it; taken twice, as after a crash between the two, it is stored once, by its id.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from collect.storage import rows
from collect.storage.rows import Arrival, Row
from runtime.hub import OwnThread

ALIAS = "spool"
PAGE_BYTES = 4096

_COLUMNS = "received_at TEXT NOT NULL, request_id TEXT NOT NULL, document BLOB NOT NULL, body BLOB NOT NULL"
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS spooled (id INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS})",
    f"CREATE TABLE IF NOT EXISTS set_aside (id INTEGER PRIMARY KEY, {_COLUMNS}, reason TEXT NOT NULL)",
)

# SQLite would hold up every other request of the worker.
_in_its_thread = OwnThread()


class Spooled(NamedTuple):
    """An arrival that waits, and its place in the order of arrival."""

    place: int
    arrival: Arrival


class SpoolStatus(NamedTuple):
    """How many events wait, since when the first one does (None: there is none), and what they take of the disk.

    `set_aside` is how many the database has refused for good, beside those that wait.
    """

    events: int
    oldest: datetime | None
    bytes: int
    set_aside: int


def is_enabled() -> bool:
    """Whether there is a spool: beside PostgreSQL, and not beside SQLite, which would be the same disk again."""
    return connection.vendor == "postgresql"


def prepare() -> None:
    """Make the directory that the spool lies in; the tables come with a connection. Raises OSError."""
    Path(settings.SPOOL_PATH).parent.mkdir(parents=True, exist_ok=True)


@receiver(connection_created)
def _equip(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Give each connection to the spool its bound and its tables, so that they are there even in a new file."""
    if connection.alias != ALIAS:
        return
    with connection.cursor() as cursor:
        # SQLite itself keeps the bound: a full spool refuses the commit.
        cursor.execute(f"PRAGMA max_page_count={settings.SPOOL_MAX_BYTES // PAGE_BYTES}")
        # What has left the spool leaves nothing of it in the file.
        cursor.execute("PRAGMA secure_delete=ON")
        for table in _TABLES:
            cursor.execute(table)


@_in_its_thread
def append(arrivals: Sequence[Arrival]) -> None:
    """Keep the arrivals, durably. Raises `django.db.Error` when it cannot; then none of them is kept."""
    values = [(a.row.received_at.isoformat(), a.request_id, a.document, a.body) for a in arrivals]
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.executemany(
            "INSERT INTO spooled (received_at, request_id, document, body) VALUES (%s, %s, %s, %s)", values
        )


@_in_its_thread
def take(limit: int) -> list[Spooled]:
    """Return the first arrivals in the order in which they came; they stay until they are discarded."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT id, document, body, request_id FROM spooled ORDER BY id LIMIT %s", [limit])
        found = cursor.fetchall()
    return [
        Spooled(place, Arrival(rows.decode(document), bytes(document), bytes(body), request_id))
        for place, document, body, request_id in found
    ]


@_in_its_thread
def discard(spooled: Sequence[Spooled]) -> None:
    """Forget arrivals that the database has."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("DELETE FROM spooled WHERE id BETWEEN %s AND %s", [spooled[0].place, spooled[-1].place])


@_in_its_thread
def set_aside(one: Spooled, reason: str) -> None:
    """Take out of the order what the database refuses: acknowledged, so it is kept until somebody looks into it."""
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute("INSERT INTO set_aside SELECT spooled.*, %s FROM spooled WHERE id = %s", [reason, one.place])
        cursor.execute("DELETE FROM spooled WHERE id = %s", [one.place])


@_in_its_thread
def bring_back() -> int:
    """Let what was set aside wait again, behind the others, and return the number of events."""
    columns = "received_at, request_id, document, body"
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute(f"INSERT INTO spooled ({columns}) SELECT {columns} FROM set_aside ORDER BY id")  # noqa: S608
        cursor.execute("DELETE FROM set_aside")
        return int(cursor.rowcount)


@_in_its_thread
def find(matches: Callable[[Row], bool]) -> list[Row]:
    """Return the rows that match, of those that wait and those that were set aside."""
    return [row for _, _, row in _find(matches)]


@_in_its_thread
def erase(matches: Callable[[Row], bool]) -> int:
    """Delete the rows that match, waiting or set aside, so that nothing of them stays in the file; return how many.

    Raises OperationalError while somebody reads the spool, whose log then still has what was deleted.
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
    """Return why events were set aside, and how many for each reason."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT reason, count(*) FROM set_aside GROUP BY reason ORDER BY count(*) DESC LIMIT 20")
        return [(reason, int(events)) for reason, events in cursor.fetchall()]


@_in_its_thread
def status() -> SpoolStatus:
    """Return what waits. Raises `django.db.Error` where the spool cannot be read."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT count(*), min(received_at) FROM spooled")
        events, oldest = cursor.fetchone()
        cursor.execute("SELECT page_count - freelist_count FROM pragma_page_count(), pragma_freelist_count()")
        (pages,) = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM set_aside")
        (set_aside,) = cursor.fetchone()
    moment = None if oldest is None else datetime.fromisoformat(oldest).astimezone(UTC)
    return SpoolStatus(events, moment, pages * PAGE_BYTES, set_aside)


@_in_its_thread
def head() -> int | None:
    """Return the place of the first arrival, None when nothing waits."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT min(id) FROM spooled")
        found: int | None = cursor.fetchone()[0]
    return found
