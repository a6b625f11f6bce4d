"""Makes, lists and drops the indexes on keys of `params`. None is there until somebody asks for it.

On PostgreSQL nobody waits for it; on SQLite, which has one writer, new events wait until the index is made.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from collect.params import indexes
from collect.params.paths import BadQuery, check_text

_PREFIX = "event_param_"
_POSTGRESQL_INDEXES = """
SELECT class.relname, pg_get_expr(indpred, indrelid), indisvalid, pg_size_pretty(pg_relation_size(indexrelid)), idx_scan
FROM pg_index JOIN pg_class AS class ON class.oid = indexrelid JOIN pg_stat_all_indexes USING (indexrelid)
WHERE indrelid = 'collect_event'::regclass AND starts_with(class.relname, %s)
"""
_SQLITE_INDEXES = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'collect_event' AND instr(name, %s) = 1"
# How each database writes the key in an index's definition.
_IN_PREDICATE = re.compile(r"params -> '((?:[^']|'')*)'::text", re.DOTALL)
_IN_PATH = re.compile(r"\$\.\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """An index on a key. SQLite tells neither its size nor how often it was used."""

    key: str
    name: str
    # False for what is left of a build that was broken off: it costs what an index does and serves nothing.
    is_whole: bool = True
    size: str = "-"
    scans: int | None = None


def name_of(key: str) -> str:
    """Return the name of the index on a key."""
    return _PREFIX + hashlib.sha256(key.encode()).hexdigest()[:16]


def listed() -> list[KeyIndex]:
    """Return the indexes that there are, by their keys. Raises `django.db.Error`."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(_SQLITE_INDEXES if is_sqlite else _POSTGRESQL_INDEXES, [_PREFIX])
        rows = cursor.fetchall()
    if is_sqlite:
        found = [KeyIndex(match[1], name) for name, sql in rows if (match := _IN_PATH.search(sql))]
    else:
        found = [KeyIndex(_key(predicate), name, *rest) for name, predicate, *rest in rows]
    return sorted(found, key=lambda index: index.key)


def _key(predicate: str) -> str:
    match = _IN_PREDICATE.search(predicate)
    # An index of this name that somebody else made is listed by its condition.
    return predicate if match is None else match[1].replace("''", "'")


def found(key: str) -> KeyIndex | None:
    """Return the index on a key, if there is one. Raises `django.db.Error`."""
    return next((index for index in listed() if index.name == name_of(key)), None)


def making(key: str) -> list[str]:
    """Return the statements that make the index on a key. Raises `BadQuery` for a key that cannot have one."""
    check_text("KEY", key)
    name = name_of(key)
    if connection.vendor == "sqlite":
        path = indexes.sqlite_path((key,))
        if path is None:
            raise BadQuery("KEY: on SQLite an index is for keys of A-Z, a-z, 0-9, _, - and blanks alone")
        value, there = indexes.sqlite_value("params", path), indexes.sqlite_is_there("params", path)
        return [f"CREATE INDEX {name} ON collect_event ({value}) WHERE {there}", f"ANALYZE {name}"]
    forms = f"{indexes.number_form('params', key)}, {indexes.text_form('params', key)}"
    there = indexes.is_there("params", key)
    return [
        # The planner does not look at how the values of a partial index are spread.
        f"CREATE STATISTICS IF NOT EXISTS {name} (dependencies) ON {forms} FROM collect_event",
        f"CREATE INDEX CONCURRENTLY {name} ON collect_event ({forms}) WHERE {there}",
        "ANALYZE collect_event",
    ]


def dropping(key: str) -> list[str]:
    """Return the statements that drop the index on a key."""
    name = name_of(key)
    if connection.vendor == "sqlite":
        return [f"DROP INDEX {name}"]
    return [f"DROP STATISTICS IF EXISTS {name}", f"DROP INDEX CONCURRENTLY {name}"]


def run(statements: Sequence[str]) -> None:
    """Run the statements, each by itself. Raises `django.db.Error`."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
