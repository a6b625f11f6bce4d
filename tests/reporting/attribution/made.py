"""Conversions and touches for the tests of attribution, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from reporting.attribution.journey import MATCHES, Conversion, Ids, Shown

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NEVER = timedelta(0)


def ids(**given: str | None) -> Ids:
    one, two, three, four, five = (given.get(name) for name in MATCHES)
    return one, two, three, four, five


def conversion(**fields: Any) -> Conversion:
    """A conversion at noon of partner 1 with the session `s`, unless ids are given."""
    given = {name: fields.pop(name) for name in MATCHES if name in fields}
    money = {"currency": fields.pop("currency", "EUR"), "value_e4": fields.pop("value_e4", 100_0000)}
    plain = {"id": UUID(int=1), "partner_id": 1, "partner": "acme", "event_name": "order_created", "event_id": None}
    return Conversion(**{**plain, "timestamp": NOON, "ids": ids(**given or {"session_id": "s"}), **money, **fields})


def shown(number: int, kind: Any = "click", before: Any = HOUR, **fields: Any) -> Shown:
    """The event with this number, which shows a touch before noon: the interaction `clk-number`, of the session `s`."""
    given = {name: fields.pop(name) for name in MATCHES if name in fields}
    plain = {
        "id": UUID(int=1_000 + number),
        "partner_id": 1,
        "kind": kind,
        "interaction": f"{kind}-{number}",
        "event_name": "contents_viewed",
        "event_id": None,
        "tag_id": "shop",
        "received_at": NOON - before,
        "timestamp": NOON - before,
        "ids": ids(**given or {"session_id": "s"}),
    }
    return Shown(**{**plain, **fields})
