"""Finds events by an id that they were sent with, at any age: in the search index, and in what is too new for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django.db import connection

from collect.models import Event, SearchBlock, SearchRun
from collect.search import entries, runs

# Of the newest events, which are not in the index yet, so many are read one by one.
READ = 20_000
# Blocks that are looked at, and events that they lead to, for one search. More share the value; a page has its next.
BLOCKS, CANDIDATES = 200, 500

# Where a value may stand, and the SQL that reads it there.
PLACES = {
    **{name: name for name in entries.COLUMNS},
    **{f"params.{name}": f"CAST(params ->> '{name}' AS TEXT)" for name in entries.PARAMS},
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: events of the partner, or of all, that have the value in one of the places.

    With `before` or `after` only ids below or above it. Those nearest to it come first; else the newest.
    """

    value: str
    places: Sequence[str] = tuple(PLACES)
    partner_id: int | None = None
    before: UUID | None = None
    after: UUID | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that was found, and the places that have the value."""

    id: UUID
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which events a search sees. All of them, where `oldest` is None, `unread` is None and nothing is suspect.

    Events with an id below `oldest` are not in the index yet. Between the ids of `unread` there are more new events
    than a search reads. `suspect` runs are checked next, because something was stored or deleted there.
    """

    oldest: UUID | None = None
    unread: tuple[UUID, UUID] | None = None
    suspect: int = 0

    ALL: ClassVar["Coverage"]


Coverage.ALL = Coverage()


@dataclass(frozen=True, slots=True)
class Found:
    """The hits, in the order that was asked for, whether there are more, and what was searched."""

    hits: list[Hit]
    has_more: bool
    coverage: Coverage


def find(wanted: Wanted) -> Found:
    """Return the events that have the value. Raises `django.db.Error`."""
    oldest, newest = runs.bounds()
    candidates, is_cut = _indexed(wanted)
    hits = {hit.id: hit for hit in _compared(wanted, candidates)}
    tail = wanted.before is None or wanted.before > newest
    if tail:
        hits |= {hit.id: hit for hit in _compared_newest(wanted, newest)}
    ordered = sorted(hits.values(), key=lambda hit: hit.id, reverse=wanted.after is None)
    unread = _unread(newest) if tail else None
    coverage = Coverage(
        None if oldest == runs.FIRST else oldest, unread, SearchRun.objects.filter(is_suspect=True).count()
    )
    return Found(ordered[: wanted.limit], is_cut or len(ordered) > wanted.limit, coverage)


def _indexed(wanted: Wanted) -> tuple[list[UUID], bool]:
    """Return the ids that the index has for the value, and whether it may have more of them."""
    slot, beginning = entries.key_of(entries.hash_of(wanted.value))
    blocks = SearchBlock.objects.filter(slot=slot).extra(  # noqa: S610  # no part of it comes from outside
        where=[f"{_position()} > 0"], params=[beginning]
    )
    if wanted.before is not None:
        blocks = blocks.filter(run__first__lt=wanted.before)
    if wanted.after is not None:
        blocks = blocks.filter(run__until__gt=wanted.after)
    order = "run__first" if wanted.after is not None else "-run__first"
    found = [bytes(block) for block in blocks.order_by(order).values_list("entries", flat=True)[:BLOCKS]]
    ids = {id for block in found for id in entries.events_of(block, beginning) if _is_within(id, wanted)}
    ordered = sorted(ids, reverse=wanted.after is None)
    return ordered[:CANDIDATES], len(found) == BLOCKS or len(ordered) > CANDIDATES


def _position() -> str:
    return "position(%s in entries)" if connection.vendor == "postgresql" else "instr(entries, %s)"


def _is_within(id: UUID, wanted: Wanted) -> bool:
    return (wanted.before is None or id < wanted.before) and (wanted.after is None or id > wanted.after)


def _compared(wanted: Wanted, ids: Sequence[UUID]) -> list[Hit]:
    """Return those of the events that really have the value."""
    if not ids:
        return []
    source = f"{Event._meta.db_table} WHERE id IN ({', '.join(['%s'] * len(ids))})"
    return _matches(wanted, source, [_stored(id) for id in ids])


def _compared_newest(wanted: Wanted, newest: UUID) -> list[Hit]:
    """Return those of the events behind `newest`, as many as are read, that have the value."""
    first = max(filter(None, (newest, wanted.after)))
    last = wanted.before or runs.LAST
    source = (
        f"(SELECT * FROM {Event._meta.db_table} WHERE id >= %s AND id < %s AND id <> %s"  # noqa: S608  # our names
        f" ORDER BY id DESC LIMIT {READ}) AS newest WHERE true"
    )
    return _matches(wanted, source, [_stored(first), _stored(last), _stored(wanted.after or last)])


def _matches(wanted: Wanted, source: str, params: list[Any]) -> list[Hit]:
    """Return the hits among the rows of `source`, an SQL text that ends in a condition."""
    columns = [PLACES[name] for name in wanted.places]
    partner = "" if wanted.partner_id is None else " AND partner_id = %s"
    order = "ASC" if wanted.after is not None else "DESC"
    sql = (
        f"SELECT id, {', '.join(columns)} FROM {source} AND %s IN ({', '.join(columns)}){partner}"  # noqa: S608  # ours
        f" ORDER BY id {order} LIMIT {wanted.limit + 1}"
    )
    of_partner = [] if wanted.partner_id is None else [wanted.partner_id]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, wanted.value, *of_partner])
        found = cursor.fetchall()
    return [Hit(_id(row[0]), _places(wanted, row[1:])) for row in found]


def _places(wanted: Wanted, values: Sequence[Any]) -> tuple[str, ...]:
    pairs = zip(wanted.places, values, strict=True)
    return tuple(name for name, value in pairs if value == wanted.value)


def _unread(newest: UUID) -> tuple[UUID, UUID] | None:
    """Return between which ids the new events lie that are not read; None if all are."""
    behind = Event.objects.filter(pk__gte=newest).order_by("-pk").values_list("pk", flat=True)
    border = list(behind[READ - 1 : READ + 1])
    return (newest, border[0]) if len(border) == 2 else None


def _stored(id: UUID) -> UUID | str:
    return id if connection.vendor == "postgresql" else id.hex


def _id(found: UUID | str) -> UUID:
    return found if isinstance(found, UUID) else UUID(hex=found)
