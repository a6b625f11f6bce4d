"""Writes the runs of the search index, and knows the SQL that does. What comes or goes while a run is made is found
by its next check; two processes that make the same one hinder each other by its unique bounds.
"""

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from collect.models import Event, SearchBlock, SearchRun
from collect.search.entries import COLUMNS, ENTRY_BYTES, PARAMS, SHARED, SLOTS, blocks_of
from collect.storage import rows

# Events of a run. With fewer, a search looks at more runs; with more, it reads more events that are in none yet.
STEP = 10_000
# What is newer may still be on its way. What comes later all the same, the checks find.
SETTLED = timedelta(seconds=3)
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)


def settled(now: datetime | None = None) -> UUID:
    """Return the id before which events are settled: nearly all of them are committed."""
    return UUID(rows.uuid7((now or datetime.now(UTC)) - SETTLED, 0))


def bounds() -> tuple[UUID, UUID]:
    """Return between which ids the events are that have been put into the index; twice `FIRST` if none have."""
    first = SearchRun.objects.order_by("first").values_list("first", flat=True).first()
    last = SearchRun.objects.order_by("-until").values_list("until", flat=True).first()
    return first or FIRST, last or FIRST


def append(step: int = STEP) -> bool:
    """Add a run behind the last one, if enough settled events are there; tell whether it was added."""
    last = SearchRun.objects.order_by("-until").first()
    if last is None:
        first = _id_at(Event.objects.filter(pk__lt=settled()).order_by("-pk"), step - 1)
        until: UUID | None = settled()
    else:
        first = last.until
        until = _id_at(Event.objects.filter(pk__gte=first, pk__lt=settled()).order_by("pk"), step)
    if first is None or until is None:
        return False
    make(first, until)
    return True


def prepend(step: int = STEP) -> bool:
    """Add a run in front of the first one, which are older events; tell whether there were any left."""
    head = SearchRun.objects.order_by("first").first()
    if head is None or head.first == FIRST:
        return False
    first = _id_at(Event.objects.filter(pk__lt=head.first).order_by("-pk"), step - 1)
    make(first or FIRST, head.first)
    return True


def _id_at(events: Any, place: int) -> UUID | None:
    found: UUID | None = events.values_list("pk", flat=True)[place : place + 1].first()
    return found


def suspect(ids: Iterable[UUID | str]) -> None:
    """Note that events with these ids are new or gone: the runs from the first to the last of them are checked next."""
    found = sorted(UUID(str(id)) for id in ids)
    if found:
        _suspect(found[0], found[-1])


def suspect_between(start: datetime, end: datetime) -> None:
    """Note that events of the time from `start` to `end` are new or gone: its runs are checked next."""
    _suspect(UUID(rows.uuid7(start, 0)), UUID(rows.uuid7(end, 2**74 - 1)))


def _suspect(first: UUID, last: UUID) -> None:
    SearchRun.objects.filter(first__lte=last, until__gt=first, is_suspect=False).update(is_suspect=True)


def check(run: SearchRun, step: int = STEP) -> bool:
    """Make the run anew if the table has other events than it; tell whether it had to be.

    Of a run that grew by many events, which an import may bring, the first `step` become a run of their own. However
    many there are, no more than these and as many again are looked at.
    """
    found = _sum(run.first, run.until, 2 * step + 1)
    border = None
    if found[0] > 2 * step:
        border = _id_at(Event.objects.filter(pk__gte=run.first, pk__lt=run.until).order_by("pk"), step)
    elif found == (run.events, run.checksum):
        SearchRun.objects.filter(pk=run.pk, is_suspect=True).update(is_suspect=False)
        return False
    make(run.first, border or run.until, lambda: _make_room(run, border))
    return True


def _make_room(run: SearchRun, border: UUID | None) -> bool:
    """Let the run begin at the border or, if there is none, delete it; tell whether it was still there."""
    here = SearchRun.objects.filter(pk=run.pk, first=run.first, until=run.until)
    if border is not None:
        # Its entries stay until the rest is made anew: they lead to the same events.
        return bool(here.update(first=border, events=-1, is_suspect=True))
    if not here.delete()[0]:
        return False
    SearchBlock.objects.filter(run_id=run.pk, slot__in=range(SLOTS)).delete()
    return True


def _sum(first: UUID, until: UUID, limit: int = sys.maxsize) -> tuple[int, int]:
    """Return the number of events from `first` to `until`, and the checksum of their ids, of the first `limit` only."""
    place, total = _SUMS[connection.vendor]
    with connection.cursor() as cursor:
        listed = f"SELECT {place} AS place {_EVENTS} ORDER BY id LIMIT %(limit)s"
        counted = f"SELECT count(*), {total} FROM ({listed}) AS listed"  # noqa: S608  # names of our own
        cursor.execute(counted, {**_bounds(first, until), "limit": limit})
        events, checksum = cursor.fetchone() or (0, 0)
    return int(events), int(checksum)


def make(first: UUID, until: UUID, makes_room: Callable[[], bool] = lambda: True) -> None:
    """Store the run of the events from `first` to `until`, which is not in it. Raises IntegrityError if it is there.

    `makes_room` is called in the transaction that does; if it returns False nothing is stored.
    """
    makers = {"postgresql": _make_on_postgresql, "sqlite": _make_on_sqlite}
    makers[connection.vendor](first, until, makes_room)


def _bounds(first: UUID, until: UUID) -> dict[str, UUID | str]:
    if connection.vendor == "sqlite":
        return {"first": first.hex, "until": until.hex}
    return {"first": first, "until": until}


# The number of events and the checksum. If another version of PostgreSQL had other hashes, all checksums would differ,
# and all runs would be made anew. SQLite has no checksum of a text; a row keeps its number there, until VACUUM.
_SUMS = {
    "postgresql": ("id", "coalesce(sum(uuid_hash(place)), 0) + hashtext('events')"),
    "sqlite": ("rowid", "coalesce(sum(place), 0)"),
}
_VALUES = ", ".join((*COLUMNS, *(f"params ->> '{name}'" for name in PARAMS)))
_EVENTS = f"FROM {Event._meta.db_table} WHERE id >= %(first)s AND id < %(until)s"
_ENTRIES = SHARED * ENTRY_BYTES
_POSTGRESQL = f"""
WITH found AS (SELECT id, unnest(ARRAY[{_VALUES}]) AS value {_EVENTS} ORDER BY id),
hashed AS (SELECT id, hashtextextended(value, 0) AS hash FROM found WHERE value <> ''),
shared AS (
    SELECT hash, string_agg(int4send((hash >> 32)::int) || uuid_send(id), ''::bytea) AS entries
    FROM hashed GROUP BY hash
)
INSERT INTO {SearchBlock._meta.db_table} (slot, run_id, entries)
SELECT
    hash & {SLOTS - 1}, %(run)s,
    string_agg(substr(entries, greatest(1, length(entries) - {_ENTRIES - 1})), ''::bytea)
FROM shared GROUP BY 1
"""  # noqa: S608  # names of our own


def _make_on_postgresql(first: UUID, until: UUID, makes_room: Callable[[], bool]) -> None:
    with transaction.atomic():
        if not makes_room():
            return
        # Counted first: what comes or goes before its entries are made is then missing from the sum, and a check finds
        # it. Two statements, since a table of events that is spread over servers is not read beside such an INSERT.
        events, checksum = _sum(first, until)
        run = SearchRun.objects.create(first=first, until=until, events=events, checksum=checksum)
        # In the server: a worker that did it would serve nobody meanwhile.
        with connection.cursor() as cursor:
            cursor.execute(_POSTGRESQL, {**_bounds(first, until), "run": run.pk})


def _make_on_sqlite(first: UUID, until: UUID, makes_room: Callable[[], bool]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT rowid, id, {_VALUES} {_EVENTS} ORDER BY id", _bounds(first, until))
        found = cursor.fetchall()
    # A number of an order is compared as a text.
    events = ((UUID(hex=row[1]), (None if value is None else str(value) for value in row[2:])) for row in found)
    blocks = blocks_of(events)
    # Only now: from here on nobody else can write.
    with transaction.atomic():
        if not makes_room():
            return
        run = SearchRun.objects.create(
            first=first, until=until, events=len(found), checksum=sum(row[0] for row in found)
        )
        SearchBlock.objects.bulk_create(
            SearchBlock(slot=slot, run=run, entries=blocks[slot]) for slot in sorted(blocks)
        )
