"""What the tests of captures send, and what of it was kept."""

from typing import Any

from django.test import Client

from collect.captures import keeping as captures
from collect.models import Capture
from keys import lifecycle
from keys.models import ApiKey
from tests.harness import factories

EVENT = b'{"event_name": "custom",  "client_id": "ann"}'


def arm(key: ApiKey, requests: int = 10) -> None:
    lifecycle.capture(key, factories.ACTOR, requests)


def send(raw_key: str, body: bytes = EVENT, path: str = "/api/collect", /, **headers: str) -> Any:
    """The answer to a POST with the key."""
    kind = headers.pop("Content-Type", "application/json")
    return Client().post(path, body, kind, headers={"Authorization": f"Bearer {raw_key}", **headers})


def written() -> list[Capture]:
    """All captures, after those that wait have been written."""
    captures.shared.write()
    return list(Capture.objects.order_by("pk"))
