"""What the sender of names that are nearly ours is told, at each address."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from collect.models import Event
from tests.harness import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(client: Client) -> Callable[..., Any]:
    """A POST of an event with a key."""
    _, raw_key = factories.key()
    headers = {"Authorization": f"Bearer {raw_key}"}
    return lambda event, path="/api/collect": client.post(path, event, content_type="application/json", headers=headers)


CAMEL = {"event_name": "x", "eventId": "e", "clientId": "c", "zeta": 1, "ip": "192.0.2.1"}
HINTS = [
    "eventId looks like event_id",
    "clientId looks like client_id",
    "ip is not read: the address is that of the request",
]


def test_names_nearly_ours_are_accepted_kept_and_told(post: Callable[..., Any]) -> None:
    response = post(CAMEL)
    assert (response.status_code, response["X-Event-Hint"]) == (204, "; ".join(HINTS))
    event = Event.objects.get()
    assert (event.event_id, event.client_id) == (None, None)
    assert event.extra == {name: value for name, value in CAMEL.items() if name != "event_name"}
    assert "X-Event-Hint" not in post({**factories.SEED_EVENT, "zeta": 1})


def test_validate_tells_the_hints_of_collect(post: Callable[..., Any]) -> None:
    answer = post(CAMEL, path="/api/collect/validate").json()
    assert answer["hints"] == [
        {"field": field, "detail": detail} for field, detail in zip(("eventId", "clientId", "ip"), HINTS, strict=True)
    ]
    assert "hints" not in post(factories.SEED_EVENT, path="/api/collect/validate").json()
