"""An event that can be kept nowhere: its sender is told so, and the senders of others are not."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.test import Client

from collect.storage import ingest
from collect.storage.outcomes import Outcome, Written
from collect.storage.rows import Arrival
from tests.harness import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def send(client: Client) -> Callable[..., Any]:
    _, raw_key = factories.key()

    def post(path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {raw_key}"}
        return client.post(path, body, content_type="application/json", headers=headers)

    return post


def unavailable(*names: str) -> Callable[[Sequence[Arrival]], list[Written]]:
    """A last step that can keep all events but those of these names."""
    return lambda arrivals: [
        Written(Outcome.UNAVAILABLE if arrival.row.event_name in names else Outcome.STORED, arrival.row.id)
        for arrival in arrivals
    ]


def test_event_of_a_batch_is_told_alone(send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "submit", unavailable("b"))
    answer = send("/api/collect/batch", [{"event_name": "a"}, {}, {"event_name": "b"}])
    assert answer.status_code == 200
    told = answer.json()
    assert told["stored"] == 1
    assert [(one["index"], one["code"]) for one in told["rejected"]] == [(1, "invalid_event"), (2, "unavailable")]


def test_batch_of_which_nothing_could_be_kept_is_a_503(
    send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "submit", unavailable("a", "b"))
    assert send("/api/collect/batch", [{"event_name": "a"}, {"event_name": "b"}]).status_code == 503


def test_single_event_is_a_503(send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "submit", unavailable("a"))
    answer = send("/api/collect", {"event_name": "a"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
