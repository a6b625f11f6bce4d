"""Turns one JSON value into another kind of value, to the last digit; what cannot be turned stays as it is."""

import re
from decimal import Decimal

import msgspec

from collect.backfills.formats import tables
from collect.intake import json_rules

# What a value can be turned into: a text with a number or a moment, anything plain, a text with JSON.
NUMBER, TEXT, JSON = TYPES = ("number", "text", "json")

_NUMBER = re.compile(rb"-?[0-9]")


def as_type(value: bytes, type: str) -> bytes:
    """Return a JSON value as one of `TYPES`; unchanged if it cannot be one."""
    if type == TEXT:
        is_plain = value[:1] not in (b'"', b"{", b"[", b"n")
        return msgspec.json.encode(value.decode()) if is_plain else value
    if not value.startswith(b'"'):
        return value
    text = msgspec.json.decode(value, type=str)
    found = tables.moment(text.strip(), "timestamp", is_exported=False) if type == NUMBER else tables.literal(text)
    is_number = found[:1] in b"-0123456789"
    return found if is_number or type == JSON else value


def scaled(value: bytes, places: int) -> bytes:
    """Return a JSON number with its point moved so many places; any other value unchanged."""
    if not _NUMBER.match(value):
        return value
    sign, digits, exponent = Decimal(value.decode()).as_tuple()
    if abs(int(exponent)) > -json_rules.MIN_EXPONENT:  # written out it would fill the memory
        return value
    text = f"{Decimal((sign, digits, int(exponent) + places)):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()
