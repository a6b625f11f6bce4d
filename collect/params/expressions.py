"""A condition on `params` as SQL. Each has a part that an index of the key can answer, and one that is exact."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func
from django.db.models.sql.compiler import SQLCompiler

from collect.params import indexes
from collect.params.conditions import Condition, Kind
from collect.params.paths import is_place
from collect.params.reading import FUNCTION

Sql = tuple[str, list[Any]]
Compiled = tuple[str, tuple[Any, ...]]

_SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# Between two forms, which a comparison may have made equal.
_LOOSE_SIGNS = {"eq": "=", "gt": ">=", "gte": ">=", "lt": "<=", "lte": "<="}
_INFINITY = float("inf")


class ParamHolds(Func):
    """Whether what stands at the path in `params` is as the condition says. For a filter: it may be NULL for false."""

    output_field = BooleanField()

    def __init__(self, parts: tuple[str, ...], condition: Condition, column: Any = None) -> None:
        super().__init__(column or F("params"))
        self.parts = parts
        self.condition = condition

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Compiled:
        """Return the SQL for PostgreSQL."""
        column, params = compiler.compile(self.source_expressions[0])
        found: list[Sql] = [_exact(_value(column, self.parts), self.condition)]
        if len(self.parts) == 1 and (by_index := _by_index(column, self.parts[0], self.condition)):
            # How many rows there are is estimated by what the index has; of a CASE the planner assumes one half.
            exact, values = found[0]
            found = [(f"CASE WHEN {exact} THEN true ELSE false END", values), *by_index]
        return _joined(found, params)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Compiled:
        """Return the SQL for SQLite."""
        column, params = compiler.compile(self.source_expressions[0])
        asked = self.condition
        found = _coarse(column, self.parts, asked)
        path = json.dumps(self.parts)
        found.append((f"{FUNCTION}({column}, %s, %s, %s, %s)", [path, asked.operator, asked.kind, asked.operand]))
        return _joined(found, params)


def _joined(found: list[Sql], of_column: Sequence[Any]) -> Compiled:
    """Return the conjunction. A column of a table has no parameters of its own."""
    assert not of_column  # noqa: S101  # where it had, each part would need them
    return "(" + " AND ".join(sql for sql, _ in found) + ")", tuple(value for _, values in found for value in values)


# --- PostgreSQL ---


def _escaped(sql: str) -> str:
    """Return the SQL without a sign that would stand for a parameter."""
    return sql.replace("%", "%%")


def _value(column: str, parts: tuple[str, ...]) -> str:
    """Return the SQL of the value at the path. What may be a place is looked for in arrays and in objects."""
    sql = indexes.member(column, parts[0])
    for part in parts[1:]:
        step = f"#> ARRAY[{indexes.literal(part)}]" if is_place(part) else f"-> {indexes.literal(part)}"
        sql = f"({sql} {step})"
    return _escaped(sql)


def _exact(value: str, asked: Condition) -> Sql:
    match asked.operator:
        case "exists":
            return f"{value} IS {'NOT ' if asked.operand == 'true' else ''}NULL", []
        case "is_null":
            return f"jsonb_typeof({value}) {'=' if asked.operand == 'true' else '<>'} 'null'", []
        case "contains":
            return _contains(value, asked)
    sign = _SIGNS[asked.operator]
    if asked.kind == Kind.NUMBER:
        number = f"CASE WHEN jsonb_typeof({value}) = 'number' THEN {value}::numeric END"
        return f"{number} {sign} %s::numeric", [Decimal(asked.operand)]
    if asked.kind == Kind.BOOLEAN:
        return f"{value} = %s::jsonb", [asked.operand]
    text = f"CASE WHEN jsonb_typeof({value}) = 'string' THEN {value} #>> '{{}}' END"
    return f'({text}) COLLATE "C" {sign} %s::text', [asked.operand]


def _contains(value: str, asked: Condition) -> Sql:
    operand = {Kind.NUMBER: "numeric", Kind.STRING: "text", Kind.BOOLEAN: "boolean"}[asked.kind]
    in_array = f"WHEN 'array' THEN {value} @> jsonb_build_array(%s::{operand})"
    if asked.kind != Kind.STRING:
        return f"CASE jsonb_typeof({value}) {in_array} END", [asked.operand]
    in_text = f"WHEN 'string' THEN strpos(({value} #>> '{{}}') COLLATE \"C\", %s::text) > 0"
    return f"CASE jsonb_typeof({value}) {in_array} {in_text} END", [asked.operand, asked.operand]


def _by_index(column: str, key: str, asked: Condition) -> list[Sql]:
    """Return what an index of the key can answer, and what follows from the condition."""
    if asked.operator == "exists":
        return []
    found: list[Sql] = [(_escaped(indexes.is_there(column, key)), [])]
    if asked.operator not in _SIGNS:
        return found
    number, sign = _escaped(indexes.number_form(column, key)), _LOOSE_SIGNS[asked.operator]
    if asked.kind == Kind.NUMBER:
        return [*found, (f"{number} {sign} {indexes.bounded('%s::numeric')}", [Decimal(asked.operand)])]
    text = _escaped(indexes.text_form(column, key))
    return [*found, (f"{number} IS NULL", []), (f"{text} {sign} {indexes.beginning('%s::text')}", [asked.operand])]


# --- SQLite ---


def _coarse(column: str, parts: tuple[str, ...], asked: Condition) -> list[Sql]:
    """Return what SQLite can say itself, and an index of the key answer: more rows than are meant, never fewer."""
    path = indexes.sqlite_path(parts)
    if path is None or (asked.operator, asked.operand) == ("exists", "false"):
        return []
    found: list[Sql] = [(indexes.sqlite_is_there(column, path), [])]
    if asked.operator in _SIGNS:
        sql, values = _compared(asked)
        found.append((f"{indexes.sqlite_value(column, path)} {sql}", values))
    return found


def _compared(asked: Condition) -> Sql:
    """Return the comparison of SQLite's value. Its numbers are before its texts, whatever they say."""
    if asked.kind == Kind.BOOLEAN:
        return "= %s", [int(asked.operand == "true")]
    if asked.kind == Kind.STRING:
        if asked.operator in ("lt", "lte"):
            # The empty text is the least.
            return "BETWEEN '' AND %s", [asked.operand]
        return f"{_SIGNS[asked.operator]} %s", [asked.operand]
    least, most = _around(Decimal(asked.operand))
    if asked.operator in ("gt", "gte"):
        most = _INFINITY
    elif asked.operator in ("lt", "lte"):
        least = -_INFINITY
    return "BETWEEN %s AND %s", [least, most]


def _around(number: Decimal) -> tuple[float, float]:
    """Return floats below and above the number, further from it than SQLite may read a number wrongly."""
    most = Decimal("1.7e308")
    nearly = max(-most, min(most, number))
    margin = abs(nearly) * Decimal("1e-12") + Decimal("1e-300")
    below, above = float(nearly - margin), float(nearly + margin)
    return -_INFINITY if number < -most else below, _INFINITY if number > most else above
