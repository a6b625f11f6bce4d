"""Whether an event that came again is the same event (contract, section 4)."""

import hashlib
import json
from decimal import Decimal
from typing import Any

from collect.models import Event
from collect.storage.rows import Row

# The columns that a sender decides. The rest (address, geo, time of arrival) may differ between two tries.
TEXT_COLUMNS = (
    "event_name",
    "page_url",
    "referrer",
    "user_agent",
    "session_id",
    "client_id",
    "click_id",
    "impression_id",
    "bid_id",
    "attribution_type",
    # A live event that meets a test event of the same id must not vanish as its duplicate.
    "is_test",
)
JSON_COLUMNS = ("consent", "params", "extra")


def differing(row: Row, first: Event) -> tuple[str, ...]:
    """Return the names of the sent fields in which `row` differs from the stored `first`.

    `first` carries its JSON columns as text, in `consent_text` and so on: numbers are compared to their last
    digit, and keys in any order. Two timestamps that were not sent are equal.
    """
    names = [name for name in TEXT_COLUMNS if getattr(row, name) != getattr(first, name)]
    if _sent_timestamp(row) != _sent_timestamp(first):
        names.append("timestamp")
    for name in JSON_COLUMNS:
        raw = getattr(row, name)
        if not _same(_exact(bytes(raw) if raw else None), _exact(getattr(first, f"{name}_text"))):
            names.append(name)
    return tuple(names)


def fingerprint(row: Row) -> bytes:
    """Return a digest that is equal for rows in which nothing differs, and for no others."""
    texts = [getattr(row, name) for name in TEXT_COLUMNS]
    values = [_exact(bytes(raw)) if (raw := getattr(row, name)) else None for name in JSON_COLUMNS]
    # Not `hash`, for which -1 is -2.
    return hashlib.sha256(repr((*texts, _sent_timestamp(row), _canonical(values))).encode()).digest()


def _canonical(value: Any) -> Any:
    """Return a JSON value in one form for all values that are the same."""
    if isinstance(value, dict):
        return {key: _canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    return _digits(Decimal(value)) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _digits(number: Decimal) -> tuple[int, str, int]:
    """Return a number's sign, its digits without zeros at either end, and its exponent."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    return (sign, kept, int(exponent) + len(text) - len(kept)) if kept else (0, "", 0)


def _sent_timestamp(event: Row | Event) -> object:
    return None if event.timestamp == event.received_at else event.timestamp


def _exact(text: bytes | str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)


def _same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal. Unlike in Python, `true` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
