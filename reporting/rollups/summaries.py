"""Sums the buckets of an arrival up by one dimension alone, so that a question about months reads few rows.

A summary is a function of the buckets, and made anew in the transaction that changes them.
"""

from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection

from reporting.models import Cell, Summary
from reporting.views import columns

_CELL, _SUMMARY = Cell._meta.db_table, Summary._meta.db_table
# What every summary is by.
_BY = ("arrived", "quarter", "partner_id", "is_test", "currency", "value_issue")
# The columns of a bucket by which there are summaries.
DIMENSIONS = ("tag_id", "event_name", "channel", "country", "browser", "bot_reason")
_OF_ARRIVAL = "partner_id = %s AND arrived >= %s AND arrived < %s"


def make(partner: int, start: datetime, end: datetime) -> None:
    """Make the summaries of what arrived from `start` until before `end` anew, which are whole quarter-hours.

    Call it in a transaction. Raises `django.db.Error`.
    """
    arrival = _arrival(partner, start, end)
    names = ", ".join((*_BY, "dimension", "member", "events", "value_e4", "pruned"))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {_SUMMARY} WHERE {_OF_ARRIVAL}", arrival)  # noqa: S608  # our names
        cursor.execute(f"{_PART} INSERT INTO {_SUMMARY} ({names}) {_made(connection.vendor)}", arrival)


def differing(partner: int, start: datetime, end: datetime) -> int:
    """Return how many summaries differ from the sums of the buckets as they are now. Raises `django.db.Error`."""
    arrival = _arrival(partner, start, end)
    with connection.cursor() as cursor:
        cursor.execute(f"{_PART} {_made(connection.vendor)}", arrival)
        made = {tuple(row) for row in cursor.fetchall()}
        cursor.execute(
            f"SELECT {_COALESCED}, dimension, member, events, value_e4, pruned FROM {_SUMMARY} WHERE {_OF_ARRIVAL}",  # noqa: S608
            arrival,
        )
        stored = [tuple(row) for row in cursor.fetchall()]
    return len({row[:-3] for row in made ^ set(stored)}) + len(stored) - len(set(stored))


def _arrival(partner: int, start: datetime, end: datetime) -> list[Any]:
    return [partner, *map(connection.ops.adapt_datetimefield_value, (start, end))]


@cache
def _made(vendor: str) -> str:
    """Return the SELECT of the summaries of the buckets in `part`."""
    value = columns.total(vendor, "value_e4").replace("%", "%%")

    def of(dimension: str, member: str, by: tuple[str, ...]) -> str:
        return (
            f"SELECT {_COALESCED}, '{dimension}', {member}, sum(events), {value}, sum(pruned) "  # noqa: S608  # our names
            f"FROM part GROUP BY {', '.join(by)}"
        )

    return " UNION ALL ".join([*(of(name, name, (*_BY, name)) for name in DIMENSIONS), of("", "NULL", _BY)])


# As expressions: of bare columns SQLite's driver makes moments and the like.
_COALESCED = ", ".join(f"coalesce({name}, NULL)" for name in _BY)
_PART = (
    f"WITH part AS MATERIALIZED (SELECT {', '.join((*_BY, *DIMENSIONS))}, events, value_e4, pruned "  # noqa: S608  # our names
    f"FROM {_CELL} WHERE {_OF_ARRIVAL})"
)
