"""How the database answers the queries of a page: which plan it takes, and how many rows it reads for it.

A test asserts on plans and on rows, never on times. It needs a table with more rows than a query may read:

    plans.fill(key, 20_000)
    with plans.captured() as queries:
        client.get("/admin/live/")
    plans.assert_bounded(queries)
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from collect.models import Event
from keys.models import ApiKey
from tests.harness import databases

# Rows that one query of a page may read. Ten million are read at some 500,000 a second.
ROWS = 5_000
# Tables that grow with what senders send. None may be read from end to end.
LARGE = (
    *("collect_event", "collect_rejection", "collect_ledgerentry", "collect_searchblock"),
    *("reporting_cell", "reporting_summary"),
)
# What reads rows of a table, and what was read without being returned.
_REMOVED = ("Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter")


@dataclass(frozen=True, slots=True)
class Query:
    """A statement as Django ran it, with its parameters."""

    sql: str
    params: Any


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query was answered: the large tables that it read from end to end, and the rows that it read in all.

    SQLite does not tell how many rows it reads: there `rows` is 0.
    """

    query: Query
    scanned: tuple[str, ...]
    rows: int
    text: str


@contextmanager
def captured() -> Iterator[list[Query]]:
    """Yield a list that the SELECTs of the block are added to, in their order."""
    found: list[Query] = []

    def keep(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if re.match(r"\s*(SELECT|WITH)\b", sql):
            found.append(Query(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        yield found


def explain(query: Query) -> Plan:
    """Run the query once more and return its plan."""
    return _on_sqlite(query) if databases.is_sqlite() else _on_postgresql(query)


def assert_bounded(queries: list[Query], rows: int = ROWS) -> list[Plan]:
    """Fail if there is no query, or if one reads a large table from end to end or more than `rows` rows.

    Return the plans, for a test that knows more of them.
    """
    assert queries, "no query was captured"
    found = [explain(query) for query in queries]
    for plan in found:
        assert not plan.scanned, f"reads all of {', '.join(plan.scanned)}:\n{plan.query.sql}\n{plan.text}"
        assert plan.rows <= rows, f"reads {plan.rows} rows:\n{plan.query.sql}\n{plan.text}"
    return found


def _on_postgresql(query: Query) -> Plan:
    with transaction.atomic(), connection.cursor() as cursor:
        # A small table is read from end to end, whichever indexes it has. With this, only where none would do.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query.sql}", query.params)
        (answer,) = cursor.fetchone() or ("[]",)
    (found,) = json.loads(answer) if isinstance(answer, str) else answer
    nodes = list(_nodes(found["Plan"]))
    scans = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
    return Plan(query, _large(scans), sum(map(_rows_read, nodes)), json.dumps(found["Plan"], indent=1))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _rows_read(node: dict[str, Any]) -> int:
    """Return how many rows a node of a plan read from a table or an index itself, in all its loops."""
    if "Scan" not in node["Node Type"] or node["Node Type"] in ("CTE Scan", "Subquery Scan", "Function Scan"):
        return 0
    return int((node["Actual Rows"] + sum(node.get(name, 0) for name in _REMOVED)) * node["Actual Loops"])


def _on_sqlite(query: Query) -> Plan:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {query.sql}", query.params)
        lines = [str(row[3]) for row in cursor.fetchall()]
    scans = [line.split()[1] for line in lines if line.startswith("SCAN ") and " USING " not in line]
    return Plan(query, _large(scans), 0, "\n".join(lines))


def _large(tables: list[str]) -> tuple[str, ...]:
    return tuple(table for table in dict.fromkeys(tables) if table in LARGE)


_POSTGRESQL_ROWS = """
INSERT INTO collect_event (id, received_at, timestamp, partner_id, api_key_id, channel, is_test, event_name, tag_id,
    event_id, session_id, client_id, params, extra)
SELECT (lpad(to_hex((%(start)s + n) / 65536), 8, '0') || lpad(to_hex((%(start)s + n) %% 65536), 4, '0')
        || '7000a000' || lpad(to_hex(n), 12, '0'))::uuid, at, at, %(partner)s, %(key)s, 'server', false, 'custom',
    'tag_' || (n %% 7), 'many-' || n, 'session-' || (n / 5), 'client-' || (n %% 1000), '{}', '{}'
FROM (SELECT n, to_timestamp((%(start)s + n) / 1000.0) AS at FROM generate_series(1::bigint, %(rows)s) AS n) AS numbered
"""
_SQLITE_ROWS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %(rows)s)
INSERT INTO collect_event (id, received_at, timestamp, partner_id, api_key_id, channel, is_test, event_name, tag_id,
    event_id, session_id, client_id, params, extra)
SELECT printf('%%012x7000a000%%012x', %(start)s + n, n), at, at, %(partner)s, %(key)s, 'server', 0, 'custom',
    'tag_' || (n %% 7), 'many-' || n, 'session-' || (n / 5), 'client-' || (n %% 1000), '{}', '{}'
FROM (SELECT n, strftime('%%Y-%%m-%%d %%H:%%M:%%f', (%(start)s + n) / 1000.0, 'unixepoch') AS at FROM numbers)
"""


def fill(key: ApiKey, rows: int, newest: datetime | None = None) -> None:
    """Store this many events of the key, a millisecond apart, the newest of them at `newest` or now.

    The event number n, from 1, has the event id `many-n`, the session `session-n/5` and the client `client-n%1000`.
    A partner can be filled once.
    """
    start = int((newest or datetime.now(UTC)).timestamp() * 1000) - rows
    values = {"start": start, "rows": rows, "partner": key.partner_id, "key": key.pk}
    with connection.cursor() as cursor:
        cursor.execute(_SQLITE_ROWS if databases.is_sqlite() else _POSTGRESQL_ROWS, values)
        cursor.execute(f"ANALYZE {Event._meta.db_table}")
