"""Counts the events of some quarter-hours of arrival anew, and knows the SQL that does. No bucket is ever added to.

What is counted is what the views define (`views.counts.of_bucket`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection

from collect.models import Event
from reporting.models import Cell
from reporting.rollups import sketches, summaries
from reporting.views import columns, counts

_CELL, _EVENT = Cell._meta.db_table, Event._meta.db_table
_CLIENTS = {
    "postgresql": "coalesce(string_agg(DISTINCT {}, ''::bytea) FILTER (WHERE e.client_id <> ''), ''::bytea)",
    "sqlite": "packed_clients(CASE WHEN e.client_id <> '' THEN {} END)",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Quarter-hours of arrival of one partner, from `start` until before `end`, which are whole quarter-hours."""

    partner: int
    start: datetime
    end: datetime


def recount(parts: Sequence[Part], until: datetime, *, is_new: bool = False) -> int:
    """Make the buckets of these parts anew, of the events that arrived before `until`; return how many those are.

    Call it in a transaction. Buckets of pruned events stay as they are, and are summed up anew with the others; of
    parts that are new nothing is, where nothing came in. Raises `django.db.Error`.
    """
    number = 0
    for part in parts:
        stale = Cell.objects.filter(partner=part.partner, arrived__gte=part.start, arrived__lt=part.end, pruned=0)
        # In one statement, without reading them: nothing refers to a bucket.
        deleted, counted = stale._raw_delete(stale.db), 0
        end = min(part.end, until)
        if part.start < end:
            arrived = "e.partner_id = %s AND e.received_at >= %s AND e.received_at < %s"
            counted = _count(arrived, [part.partner, *map(_moment, (part.start, end))], is_pruned=False)
        if deleted or counted or not is_new:
            summaries.make(part.partner, part.start, part.end)
        number += counted
    return number


def freeze(ids: Sequence[UUID]) -> None:
    """Keep the counts of these events, which are about to be pruned. Call it in the transaction that deletes them.

    The summaries of when they arrived have to be made anew behind it. Raises `django.db.Error`.
    """
    if connection.vendor == "postgresql":
        _count("e.id = ANY(%s)", [list(ids)], is_pruned=True)
    else:
        _count("e.id IN (SELECT value FROM json_each(%s))", [json.dumps([id.hex for id in ids])], is_pruned=True)


def _count(condition: str, values: Sequence[Any], *, is_pruned: bool) -> int:
    with connection.cursor() as cursor:
        _prepare()
        cursor.execute(_statement(connection.vendor).format(condition), [int(is_pruned), *values])
        found = cursor.fetchall()
    # The buckets with very many clients. SQLite has packed its own.
    for id, clients in ((id, bytes(clients)) for id, clients, _ in found if clients):
        Cell.objects.filter(pk=id).update(clients=sketches.packed(clients))
    return sum(events for *_, events in found)


def counted(part: Part, until: datetime) -> set[tuple[Any, ...]]:
    """Return the buckets of the part as its events make them now, each ending with events, value and clients.

    Raises `django.db.Error`.
    """
    made = _doubled(counts.of_bucket(connection.vendor))
    by = ", ".join(made.values())
    with connection.cursor() as cursor:
        _prepare()
        cursor.execute(
            f"SELECT {by}, {_sums(connection.vendor)} FROM {_EVENT} AS e "  # noqa: S608  # our names
            f"WHERE e.partner_id = %s AND e.received_at >= %s AND e.received_at < %s GROUP BY {by}",
            [part.partner, *map(_moment, (part.start, until))],
        )
        return {(*bucket, sketches.packed(bytes(clients))) for *bucket, clients in cursor.fetchall()}


def stored(part: Part) -> set[tuple[Any, ...]]:
    """Return the stored buckets of the part in the form of `counted`, without those of pruned events."""
    # As expressions: of bare columns SQLite's driver makes moments and the like.
    columns_of_bucket = ", ".join(f"coalesce({name}, NULL)" for name in counts.of_bucket(connection.vendor))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns_of_bucket}, events, value_e4, clients FROM {_CELL} "  # noqa: S608  # our names
            "WHERE partner_id = %s AND arrived >= %s AND arrived < %s AND pruned = 0",
            [part.partner, *map(_moment, (part.start, part.end))],
        )
        return {(*bucket, bytes(clients)) for *bucket, clients in cursor.fetchall()}


def _doubled(sqls: Mapping[str, str]) -> dict[str, str]:
    """Return SQL for a statement with parameters, in which a per cent sign of its own is doubled."""
    return {name: sql.replace("%", "%%") for name, sql in sqls.items()}


def _prepare() -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("packed_clients", 1, _Clients)


def _sums(vendor: str) -> str:
    clients = _CLIENTS[vendor].format(sketches.HASHED[vendor])
    value = columns.total(vendor, f"({columns.value_e4(vendor)})").replace("%", "%%")
    return f"count(*), {value}, {clients}"


@cache
def _statement(vendor: str) -> str:
    """Return the INSERT of the buckets, which gives their ids, their clients if those have to be packed, and events."""
    made = _doubled(counts.of_bucket(vendor))
    by = ", ".join(made.values())
    most = sketches.EXACT * sketches.HASH_BYTES
    unpacked = {
        "postgresql": f"CASE WHEN octet_length(clients) > {most} THEN clients END",
        "sqlite": "NULL",
    }
    return (
        f"INSERT INTO {_CELL} ({', '.join(made)}, pruned, events, value_e4, clients) "  # noqa: S608  # our names
        f"SELECT {by}, %s * count(*), {_sums(vendor)} "
        f"FROM {_EVENT} AS e WHERE {{}} GROUP BY {by} "
        f"RETURNING id, {unpacked[vendor]}, events"
    )


class _Clients:
    """An aggregate of SQLite, which cannot put bytes together: the packed clients of the hashes in hex."""

    def __init__(self) -> None:
        self._hashes: set[str] = set()

    def step(self, hashed: str | None) -> None:
        """Take the hash of a client, if the event has one."""
        if hashed is not None:
            self._hashes.add(hashed)

    def finalize(self) -> bytes:
        """Return the clients."""
        return sketches.packed(bytes.fromhex("".join(sorted(self._hashes))))


def _moment(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
