"""Whether an event that came again is the same event (contract, section 4)."""

import json
from collections.abc import Hashable
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


def fingerprint(row: Row) -> int:
    """Return a number that is equal for rows in which nothing differs. It holds within this process only."""
    texts = [getattr(row, name) for name in TEXT_COLUMNS]
    values = [_exact(bytes(raw)) if (raw := getattr(row, name)) else None for name in JSON_COLUMNS]
    return hash((*texts, _sent_timestamp(row), _frozen(values)))


def _frozen(value: Any) -> Hashable:
    """Return a JSON value in a form that can be hashed; equal forms for values that are the same."""
    if isinstance(value, dict):
        return frozenset((key, _frozen(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return (bool, value) if isinstance(value, bool) else value


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
