"""Partners, keys and events for tests, with defaults."""

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

from collect import assembly
from collect.enrichment.geo import Geo
from collect.intake import contract
from collect.intake.source import Source
from collect.storage.rows import Arrival
from keys import lifecycle
from keys.history import Actor
from keys.models import ApiKey, Partner

_numbers = count(1)

SEED_EVENT: dict[str, Any] = {
    "tag_id": "tag_1",
    "event_name": "items_added",
    "event_id": "evt_42",
    "timestamp": 1748275200,
    "click_id": "clk_xyz",
    "session_id": "sess_abc",
    "params": {"content_id": "sku_123", "quantity": 2, "value": 58.0, "currency": "USD"},
}


def partner(name: str | None = None) -> Partner:
    return Partner.objects.create(name=name or f"partner {next(_numbers)}")


def key(owner: Partner | None = None, **fields: Any) -> tuple[ApiKey, str]:
    """A key and its raw form."""
    api_key = ApiKey(partner=owner or partner(), label="test", **fields)
    return api_key, lifecycle.issue(api_key, Actor("tests"))


def source(api_key: ApiKey, **fields: Any) -> Source:
    defaults: dict[str, Any] = {
        "partner_id": api_key.partner_id,
        "api_key_id": api_key.pk,
        "is_test": api_key.is_test,
        "received_at": datetime.now(UTC),
        "ip_address": "127.0.0.1",
        "geo": Geo(),
    }
    return Source(**defaults | fields)


def arrival(from_source: Source, **fields: Any) -> Arrival:
    body = json.dumps({"event_name": "custom", **fields}).encode()
    row = assembly.build(contract.decode(body), from_source)
    return Arrival.of(row, body, "request-1")
