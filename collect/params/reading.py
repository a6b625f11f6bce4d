"""Whether a condition holds for a JSON text, in Python: SQLite's own functions know neither decimals nor long integers.

SQLite calls it for the rows that its index, or a coarse comparison of its own, leaves over.
"""

import json
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from collect.params.conditions import Kind
from collect.params.paths import is_place

# The function's name in SQL. Its arguments are the JSON text, the path as JSON, and a condition's three fields.
FUNCTION = "param_holds"
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
_ABSENT = object()


def holds(document: str | None, path: str, asked: str, kind: str, operand: str) -> bool:
    """Return whether what stands at `path` (a JSON array) in the JSON text is as the condition says."""
    value = _value_at(document, path)
    if asked == "exists":
        return (value is not _ABSENT) == (operand == "true")
    if asked == "is_null":
        return value is not _ABSENT and (value is None) == (operand == "true")
    wanted = _operand(kind, operand)
    if asked == "contains":
        return _contains(value, wanted)
    return type(value) is type(wanted) and _ORDERS[asked](value, wanted)


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(type(item) is type(wanted) and item == wanted for item in value)
    return isinstance(value, str) and isinstance(wanted, str) and wanted in value


def _value_at(document: str | None, path: str) -> Any:
    value = _ABSENT if document is None else json.loads(document, parse_int=Decimal, parse_float=Decimal)
    for part in _parts(path):
        if isinstance(value, dict):
            value = value.get(part, _ABSENT)
        elif isinstance(value, list) and is_place(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return _ABSENT
    return value


@lru_cache(64)
def _parts(path: str) -> tuple[str, ...]:
    return tuple(json.loads(path))


@lru_cache(64)
def _operand(kind: str, operand: str) -> str | bool | Decimal:
    if kind == Kind.NUMBER:
        return Decimal(operand)
    return operand if kind == Kind.STRING else operand == "true"


@receiver(connection_created)
def _equip(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Give each connection to SQLite the function, as Django gives it its own."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(FUNCTION, 5, holds, deterministic=True)
