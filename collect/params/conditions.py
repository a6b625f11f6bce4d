"""What may be asked of a value in `params`: the operators, and which values each of them takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypedDict

from collect.params.paths import BadQuery, check_text

Operand = str | bool | int | float | Decimal

# Beyond these no event has a number (`collect.intake.json_rules`), and PostgreSQL's numeric ends soon after.
_MOST_DIGITS = 16_000


class Conditions(TypedDict, total=False):
    """The operators of `where_param`."""

    eq: Operand
    gt: Operand
    gte: Operand
    lt: Operand
    lte: Operand
    contains: Operand
    exists: bool
    is_null: bool


class Kind(StrEnum):
    """What a value is, in the words of PostgreSQL's `jsonb_typeof`."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator and its operand: a number as `Decimal` reads it, a text as it is, `true` or `false`."""

    operator: str
    kind: Kind
    operand: str


def conditions_of(given: Mapping[str, Any]) -> list[Condition]:
    """Return what was asked. Raises `BadQuery`, which names the operator at fault."""
    names = Conditions.__annotations__
    if unknown := sorted(set(given) - set(names)):
        raise BadQuery(f"{unknown[0]}: there is no such operator; there are {', '.join(names)}")
    if not given:
        raise BadQuery(f"where_param: no operator; there are {', '.join(names)}")
    return [_condition(name, value) for name, value in given.items()]


def _condition(name: str, value: Any) -> Condition:
    if name in ("exists", "is_null") and not isinstance(value, bool):
        raise BadQuery(f"{name}: {value!r} is neither True nor False")
    if isinstance(value, bool):
        if name in ("gt", "gte", "lt", "lte"):
            raise BadQuery(f"{name}: True and False have no order; ask with eq")
        return Condition(name, Kind.BOOLEAN, "true" if value else "false")
    if isinstance(value, str):
        check_text(name, value)
        return Condition(name, Kind.STRING, str(value))
    if isinstance(value, int | float | Decimal):
        return Condition(name, Kind.NUMBER, str(_number(name, value)))
    if value is None:
        raise BadQuery(f"{name}: None is no value; ask with is_null=True or exists=False")
    raise BadQuery(f"{name}: {type(value).__name__} is neither a text nor a number nor True nor False")


def _number(name: str, value: float | Decimal) -> Decimal:
    # The shortest text of a float, which is what its writer meant: 0.1, not 0.1000000000000000055.
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise BadQuery(f"{name}: {value!r} is no number of JSON")
    exponent = number.as_tuple().exponent
    if number.adjusted() > _MOST_DIGITS or (isinstance(exponent, int) and exponent < -_MOST_DIGITS):
        raise BadQuery(f"{name}: no event has a number of more than {_MOST_DIGITS:,} digits")
    return number
