"""Adds to rows that may exist: one statement that inserts the new ones, and sums or widens the others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from django.db import connection, models

# What becomes of a column of a row that exists.
SUM = "{old} + {new}"
EARLIEST, LATEST = "{least}({old}, {new})", "{greatest}({old}, {new})"

# A number that is counted, and when the first of it came.
COUNTED = {"first_seen": EARLIEST, "count": SUM}


def add(
    model: type[models.Model], rows: Sequence[Mapping[str, Any]], unique: Sequence[str], merged: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    """Add the rows, whose `unique` fields tell which exist; return these fields and the primary key of each.

    The rows have the same fields, and no two the same `unique` ones. They are written in the order of these, so that
    two transactions never wait for each other. `merged` says what becomes of the other fields of a row that exists;
    those that it does not name stay as they are. Raises `django.db.Error`.
    """
    if not rows:
        return []
    fields = _fields(model, rows[0])
    ordered = sorted(rows, key=lambda row: [row[name] for name in unique])
    values = [field.get_db_prep_save(row[field.name], connection) for row in ordered for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(_statement(model, [*rows[0]], unique, merged) % _places(len(rows), len(fields)), values)
        return list(cursor.fetchall())


def _statement(
    model: type[models.Model], names: Sequence[str], unique: Sequence[str], merged: Mapping[str, str]
) -> str:
    table, columns = model._meta.db_table, {field.name: str(field.column) for field in _fields(model, names)}
    returned = ", ".join([columns[name] for name in unique] + [str(model._meta.pk.column)])
    changes = ", ".join(f"{columns[name]} = {_merged(table, columns[name], how)}" for name, how in merged.items())
    return (
        f"INSERT INTO {table} ({', '.join(columns.values())}) VALUES %s "  # noqa: S608  # names of our own models
        f"ON CONFLICT ({', '.join(columns[name] for name in unique)}) DO UPDATE SET {changes} RETURNING {returned}"
    )


def _fields(model: type[models.Model], names: Iterable[str]) -> "list[models.Field[Any, Any]]":
    return [cast("models.Field[Any, Any]", model._meta.get_field(name)) for name in names]


def _merged(table: str, column: str, how: str) -> str:
    is_sqlite = connection.vendor == "sqlite"
    least, greatest = ("min", "max") if is_sqlite else ("least", "greatest")
    return how.format(old=f"{table}.{column}", new=f"excluded.{column}", least=least, greatest=greatest)


def _places(rows: int, columns: int) -> str:
    return ", ".join([f"({', '.join(['%s'] * columns)})"] * rows)
