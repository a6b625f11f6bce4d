"""Where events wait, fsynced on local disk, while the database cannot take them. Nobody else knows its SQL.

An event is in the spool or not at all: one transaction of SQLite in WAL with `synchronous=FULL` for each group. It
leaves only after the database has it; taken twice, as after a crash between the two, it is stored once, by its id.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.conf import settings
from django.db import OperationalError, connection, connections, transaction

from collect.storage import rows
from collect.storage.rows import Arrival, Row
from runtime.hub import off_the_hub

ALIAS = "spool"

Args = ParamSpec("Args")
Result = TypeVar("Result")


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
    """Make the directory that the spool lies in; the table comes with a connection. Raises OSError."""
    Path(settings.SPOOL_PATH).parent.mkdir(parents=True, exist_ok=True)


def append(arrivals: Sequence[Arrival]) -> None:
    """Keep the arrivals, durably. Raises `django.db.Error` when it cannot; then none of them is kept."""
    _run(_append, arrivals)


def take(limit: int) -> list[Spooled]:
    """The first arrivals in the order in which they came; they stay until they are discarded."""
    return _run(_take, limit)


def discard(spooled: Sequence[Spooled]) -> None:
    """Forget arrivals that the database has."""
    _run(_discard, spooled)


def set_aside(one: Spooled, reason: str) -> None:
    """Take out of the order what the database refuses: acknowledged, so it is kept until somebody looks into it."""
    _run(_set_aside, one, reason)


def bring_back() -> int:
    """Let what was set aside wait again, behind the others; the number of events."""
    return _run(_bring_back)


def find(matches: Callable[[Row], bool]) -> list[Row]:
    """The rows that match, of those that wait and those that were set aside."""
    return [row for _, _, row in _run(_find, matches)]


def erase(matches: Callable[[Row], bool]) -> int:
    """Delete the rows that match, waiting or set aside, so that nothing of them stays in the file; how many."""
    return _run(_erase, matches)


def reasons() -> list[tuple[str, int]]:
    """Why events were set aside, and how many for each reason."""
    return _run(_reasons)


def status() -> SpoolStatus:
    """What waits. Raises `django.db.Error` where the spool cannot be read."""
    return _run(_status)


def head() -> int | None:
    """The place of the first arrival, None when nothing waits."""
    return _run(_head)


# One real thread under gevent, where SQLite would hold up every other request of the worker.
_thread: Callable[..., Any] = off_the_hub(lambda function, *arguments: function(*arguments))


def _run(function: Callable[Args, Result], *arguments: Args.args, **_: Args.kwargs) -> Result:
    result: Result = _thread(function, *arguments)
    return result


def _append(arrivals: Sequence[Arrival]) -> None:
    values = [(a.row.received_at.isoformat(), a.request_id, a.document, a.body) for a in arrivals]
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.executemany(
            "INSERT INTO spooled (received_at, request_id, document, body) VALUES (%s, %s, %s, %s)", values
        )


def _take(limit: int) -> list[Spooled]:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT id, document, body, request_id FROM spooled ORDER BY id LIMIT %s", [limit])
        found = cursor.fetchall()
    return [
        Spooled(place, Arrival(rows.decode(document), bytes(document), bytes(body), request_id))
        for place, document, body, request_id in found
    ]


def _discard(spooled: Sequence[Spooled]) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("DELETE FROM spooled WHERE id BETWEEN %s AND %s", [spooled[0].place, spooled[-1].place])


def _set_aside(one: Spooled, reason: str) -> None:
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute("INSERT INTO set_aside SELECT spooled.*, %s FROM spooled WHERE id = %s", [reason, one.place])
        cursor.execute("DELETE FROM spooled WHERE id = %s", [one.place])


def _bring_back() -> int:
    columns = "received_at, request_id, document, body"
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute(f"INSERT INTO spooled ({columns}) SELECT {columns} FROM set_aside ORDER BY id")  # noqa: S608
        cursor.execute("DELETE FROM set_aside")
        return int(cursor.rowcount)


def _find(matches: Callable[[Row], bool]) -> list[tuple[str, int, Row]]:
    found = []
    with connections[ALIAS].cursor() as cursor:
        for table in ("spooled", "set_aside"):
            cursor.execute(f"SELECT id, document FROM {table} ORDER BY id")  # noqa: S608
            while part := cursor.fetchmany(1000):
                found += [(table, place, row) for place, text in part if matches(row := rows.decode(text))]
    return found


def _erase(matches: Callable[[Row], bool]) -> int:
    found = _find(matches)
    with connections[ALIAS].cursor() as cursor:
        for table, place, _ in found:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [place])  # noqa: S608
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if cursor.fetchone()[0]:
            raise OperationalError("the spool is being read, and its log still has what was deleted: try again")
    return len(found)


def _reasons() -> list[tuple[str, int]]:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT reason, count(*) FROM set_aside GROUP BY reason ORDER BY count(*) DESC LIMIT 20")
        return [(reason, int(events)) for reason, events in cursor.fetchall()]


def _status() -> SpoolStatus:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT count(*), min(received_at) FROM spooled")
        events, oldest = cursor.fetchone()
        cursor.execute("SELECT page_count - freelist_count FROM pragma_page_count(), pragma_freelist_count()")
        (pages,) = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM set_aside")
        (set_aside,) = cursor.fetchone()
    moment = None if oldest is None else datetime.fromisoformat(oldest).astimezone(UTC)
    return SpoolStatus(events, moment, pages * settings.SPOOL_PAGE_BYTES, set_aside)


def _head() -> int | None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT min(id) FROM spooled")
        found: int | None = cursor.fetchone()[0]
    return found
