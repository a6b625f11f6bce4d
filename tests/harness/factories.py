"""Partners, keys and events for tests, with defaults."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from collect import assembly
from collect.enrichment.city import Geo
from collect.intake import contract
from collect.intake.source import Source
from collect.storage import rejections
from collect.storage.ledger import tally
from collect.storage.ledger.tally import Endpoint
from collect.storage.rejections import Record
from collect.storage.rows import Arrival
from keys import crypto, lifecycle
from keys.history import Actor
from keys.models import ApiKey, Partner
from runtime.refusals import Refusal

_numbers = count(1)
ACTOR = Actor("tests")

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
    """The partner of this name, made where there is none; a new one without a name."""
    return Partner.objects.get_or_create(name=name or f"partner {next(_numbers)}")[0]


def key(owner: Partner | None = None, **fields: Any) -> tuple[ApiKey, str]:
    """A key and its raw form."""
    api_key = ApiKey(partner=owner or partner(), **{"label": "test", **fields})
    return api_key, lifecycle.issue(api_key, ACTOR)


def issue(**fields: Any) -> tuple[ApiKey, str]:
    """A key of the partner Acme, and its raw form."""
    return key(fields.pop("partner", None) or partner("Acme"), **{"label": "backend", **fields})


def expired(**fields: Any) -> tuple[ApiKey, str]:
    """A key whose time ran out a second ago."""
    return issue(expires_at=timezone.now() - timedelta(seconds=1), **fields)


def revoked(**fields: Any) -> tuple[ApiKey, str]:
    """A key that has been revoked."""
    api_key, raw_key = issue(**fields)
    lifecycle.revoke(api_key, ACTOR)
    return api_key, raw_key


def unknown() -> str:
    """A well-formed raw key that nobody issued."""
    return crypto.make(is_test=False)


def with_other_secret(raw_key: str) -> str:
    """A well-formed raw key with the prefix of this one, and another secret."""
    other = crypto.make(is_test=False).rpartition("_")[2][: crypto.SECRET_LENGTH]
    return crypto.seal(f"{crypto.prefix_of(raw_key)}_{other}")


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
    return Arrival.of(row, body, "request-1", tally.receive(from_source, Endpoint.COLLECT, 1, len(body)))


def reject(refusal: Refusal, from_source: Source, *bodies: bytes, request_id: str = "request-1") -> None:
    """Keep a rejection of each body."""
    rejections.keep(Record.of_refusal(refusal, from_source, body, request_id) for body in bodies)
