"""Events for the tests of what is reported, stored as they come in."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from collect.storage import store
from collect.storage.rows import Arrival, Row, uuid7
from tests.harness import factories

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def stored(partner: str = "acme", *, received_at: datetime | None = None, **fields: Any) -> str:
    """Store an event of the partner, and return its id. Without times it happens and arrives at `NOON`."""
    one = arrival(partner, received_at=received_at, **fields)
    store.write([one])
    return one.row.id


def arrival(partner: str = "acme", *, received_at: datetime | None = None, **fields: Any) -> Arrival:
    """Return what `stored` stores."""
    timestamp = fields.pop("timestamp", received_at or NOON)
    arrived = received_at or timestamp
    params = fields.pop("params", {})
    row = Row(
        **{
            "id": uuid7(arrived),
            "received_at": arrived,
            "timestamp": timestamp,
            "partner_id": factories.partner(partner).pk,
            "api_key_id": None,
            "channel": "server",
            "is_test": False,
            "event_name": "order_created",
            "tag_id": "shop",
            "params": msgspec.Raw(params.encode() if isinstance(params, str) else json.dumps(params).encode()),
            "extra": msgspec.Raw(b"{}"),
            **fields,
        }
    )
    return Arrival.of(row, b"", "")
