"""Values of Arrow's types as JSON: each as what it is, or refused.

Moments, times of day and durations are read as numbers (`as_numbers`), since Python's types have no nanoseconds.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow
from msgspec import Raw
from pyarrow import types

from collect.backfills.formats import tables

# Makes of a value, which is not None, what JSON is made of. Raises ValueError where it has no such form.
Shape = Callable[[Any], Any]

# The digits of a second's fraction.
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_DAY = 86_400


def as_numbers(type: Any) -> Any:
    """Return the type in which moments, times of day and durations are integers of their unit."""
    for tells, number_of in _NUMBERS:
        if tells(type):
            return number_of(type)
    return type


_NUMBERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
    (types.is_time32, lambda _type: pyarrow.int32()),
    (lambda type: types.is_timestamp(type) or types.is_time64(type) or types.is_duration(type),
     lambda _type: pyarrow.int64()),
    (types.is_dictionary, lambda type: as_numbers(type.value_type)),
    (types.is_map, lambda type: pyarrow.map_(as_numbers(type.key_type), as_numbers(type.item_type))),
    (types.is_struct, lambda type: pyarrow.struct([field.with_type(as_numbers(field.type)) for field in type])),
    (types.is_fixed_size_list, lambda type: pyarrow.list_(as_numbers(type.value_type), type.list_size)),
    (types.is_list, lambda type: pyarrow.list_(as_numbers(type.value_type))),
    (types.is_large_list, lambda type: pyarrow.large_list(as_numbers(type.value_type))),
)  # fmt: skip


def moment(type: Any, *, as_text: bool) -> Shape:
    """Return what makes of a value that says when something happened the text, or the Unix seconds, of that moment.

    A moment without a zone is UTC, and a date is its midnight. Numbers and texts stay what they are.
    """
    if types.is_dictionary(type):
        return moment(type.value_type, as_text=as_text)
    if types.is_timestamp(type):
        digits = _DIGITS[type.unit]
        return (
            (lambda value: _text(value, digits, "Z")) if as_text else lambda value: Raw(tables.seconds(value, digits))
        )
    if types.is_date(type):
        if as_text:
            return lambda value: _text(_days(value) * _DAY, 0, "Z")
        return lambda value: Raw(tables.seconds(_days(value) * _DAY, 0))
    if types.is_time(type) or types.is_duration(type):
        return _refusal(f"{type} is no moment")
    return shape(type)


def shape(type: Any) -> Shape:
    """Return what makes JSON of values of this type, as `as_numbers` gives them."""
    if types.is_dictionary(type):
        return shape(type.value_type)
    if types.is_list(type) or types.is_large_list(type) or types.is_fixed_size_list(type):
        inner = shape(type.value_type)
        return lambda values: [None if value is None else inner(value) for value in values]
    if types.is_struct(type):
        shapes = {field.name: shape(field.type) for field in type}
        return lambda values: {k: None if value is None else shapes[k](value) for k, value in values.items()}
    if types.is_map(type):
        key, item = shape(type.key_type), shape(type.item_type)
        return lambda values: {str(key(k)): None if value is None else item(value) for k, value in values.items()}
    for tells, of_type in _SHAPES:
        if tells(type):
            return of_type(type)
    return _refusal(f"{type} has no form in JSON: save it as text")


def _moments(type: Any) -> Shape:
    digits, zone = _DIGITS[type.unit], "Z" if type.tz else ""
    return lambda value: _text(value, digits, zone)


def _times(type: Any) -> Shape:
    digits = _DIGITS[type.unit]
    return lambda value: _text(value, digits, "").partition("T")[2]


def _durations(type: Any) -> Shape:
    digits = _DIGITS[type.unit]
    return lambda value: f"PT{tables.decimal(value, digits)}S"


def _extensions(type: Any) -> Shape:
    name = type.extension_name
    if name == "arrow.json":
        return lambda value: Raw(tables.literal(value))
    known: dict[str, Shape] = {"arrow.uuid": str, "arrow.bool8": bool}
    return known.get(name) or unknown(name, type.storage_type)


def unknown(name: str, storage: Any) -> Shape:
    """Return the shape of values of an extension that is not known here: a number would mean something else."""
    if types.is_nested(storage) or types.is_string(storage) or types.is_large_string(storage):
        return shape(storage)
    return _refusal(f"{name} is not known here: save it as text")


def _as_it_is(_type: Any) -> Shape:
    return lambda value: value


_SHAPES: tuple[tuple[Callable[[Any], bool], Callable[[Any], Shape]], ...] = (
    (lambda type: isinstance(type, pyarrow.BaseExtensionType), _extensions),
    (types.is_floating, lambda _type: _finite),
    (types.is_decimal, lambda _type: _decimal),
    (types.is_timestamp, _moments),
    (types.is_time, _times),
    (types.is_duration, _durations),
    (lambda type: types.is_binary(type) or types.is_large_binary(type) or types.is_binary_view(type), lambda _: _utf8),
    (lambda type: types.is_string(type) or types.is_large_string(type) or types.is_string_view(type), _as_it_is),
    (lambda type: types.is_integer(type) or types.is_boolean(type) or types.is_null(type), _as_it_is),
    (types.is_date, _as_it_is),
)  # fmt: skip


def _refusal(why: str) -> Shape:
    def refuse(_value: Any) -> Any:
        raise ValueError(why)

    return refuse


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{'NaN' if math.isnan(value) else 'Infinity'} is no number that JSON has")
    return value


def _decimal(value: Decimal) -> Raw:
    return Raw(f"{value:f}".encode())


def _utf8(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("binary that is no UTF-8 text has no form in JSON") from None


def _days(value: date) -> int:
    return (value - date(1970, 1, 1)).days


def _text(value: int, digits: int, zone: str) -> str:
    """Return a moment in RFC 3339. Raises ValueError outside of the years that it has."""
    seconds, fraction = divmod(value, 10**digits)
    try:
        text = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    except (OverflowError, OSError, ValueError):
        raise ValueError("a moment outside of the years 1 to 9999") from None
    return f"{text}.{fraction:0{digits}}{zone}" if fraction else f"{text}{zone}"
