"""What belongs to an event: how it was sent, to the digit; its rejections; what came before and after it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from collect import assembly
from collect.intake import contract
from collect.models import Event, Rejection
from collect.search import runs
from collect.storage import repetition, store
from collect.storage.rows import Arrival
from keys.models import ApiKey
from reporting.events import one_event
from runtime.refusals import Code, Refusal
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 26, 12, tzinfo=UTC)


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def event(key: ApiKey, body: str | None = None, at: datetime = NOON, **fields: Any) -> Event:
    """Store an event by its body, or by its fields."""
    source = factories.source(key, received_at=at)
    raw = (body or json.dumps({"event_name": "custom", **fields})).encode()
    row = assembly.build(contract.decode(raw), source)
    (written,) = store.write([Arrival.of(row, raw, "request-1")])
    return Event.objects.get(pk=written.id)


@pytest.mark.parametrize(
    "body",
    [
        '{"event_name": "a"}',
        '{"event_name": "a", "tag_id": "t", "timestamp": 1748275200.25, "session_id": "s", "click_id": "ü🎉"}',
        '{"event_name": "a", "params": {"value": 58.00, "big": 12345678901234567890, "list": [1, null]}, "x": 1.50}',
        '{"event_name": "a", "consent": {"ad": true}, "page_url": "https://shop.example/", "extra": {"a": 1}}',
    ],
)
def test_event_as_it_was_sent_would_be_stored_as_it_was(key: ApiKey, body: str) -> None:
    stored = event(key, body)
    sent = one_event.as_sent(stored, one_event.texts_of(stored.pk))
    again = assembly.build(contract.decode(sent.encode()), factories.source(key, received_at=NOON))
    (compared,) = store._comparable().filter(pk=stored.pk)
    assert repetition.differing(again, compared) == ()
    assert (again.tag_id, again.tag_derived) == (stored.tag_id, stored.tag_derived)
    assert json.loads(sent) == json.loads(body)


def test_numbers_stay_as_they_were_written(key: ApiKey) -> None:
    stored = event(key, '{"event_name": "a", "params": {"value": 58.00}, "other": 1.50}')
    texts = one_event.texts_of(stored.pk)
    assert "58.00" in one_event.as_sent(stored, texts)
    assert "1.50" in one_event.as_sent(stored, texts)
    assert b"58.00" in msgspec.json.encode(one_event.as_stored(stored, texts))


def test_row_has_names_where_the_table_has_numbers(key: ApiKey) -> None:
    stored = event(key, event_id="e")
    row = one_event.as_stored(stored, one_event.texts_of(stored.pk))
    assert (row["partner"], row["api_key"], row["event_id"]) == ("Acme", key.prefix, "e")
    assert not {"partner_id", "api_key_id"} & row.keys()


def test_rejections_are_those_that_met_the_event_or_became_it(key: ApiKey) -> None:
    stored = event(key)
    for number in range(3):
        factories.reject(Refusal(Code.INVALID_JSON, "no"), factories.source(key), b"{", request_id=f"r-{number}")
    Rejection.objects.filter(request_id="r-0").update(event=stored.pk)
    Rejection.objects.filter(request_id="r-1").update(replayed_as=stored.pk)
    assert [rejection.request_id for rejection in one_event.rejections_of(stored)] == ["r-1", "r-0"]


@pytest.mark.parametrize("is_indexed", [True, False])
def test_neighbours_have_the_session_or_the_client_of_the_same_partner(key: ApiKey, is_indexed: bool) -> None:
    def at(minute: int, owner: ApiKey = key, **fields: Any) -> UUID:
        return event(owner, at=NOON + timedelta(minutes=minute), **fields).pk

    before, same = at(-9, client_id="c"), at(-1, session_id="s", client_id="c")
    this = event(key, session_id="s", client_id="c")
    after = at(1, session_id="s", client_id="other")
    at(2, session_id="other", client_id="s", click_id="c")
    at(3, factories.key(factories.partner("Other"))[0], session_id="s")
    if is_indexed:
        runs.make(runs.FIRST, runs.LAST)
    found = one_event.neighbours_of(this)
    assert [(one.event.pk, one.places) for one in found.earlier] == [
        (before, ("client_id",)),
        (same, ("session_id", "client_id")),
    ]
    assert [(one.event.pk, one.places) for one in found.later] == [(after, ("session_id",))]


def test_neighbours_are_the_nearest_ones(key: ApiKey) -> None:
    plans.fill(key, 60)
    Event.objects.update(session_id="s")
    found = one_event.neighbours_of(Event.objects.get(event_id="many-30"))
    assert [one.event.event_id for one in found.earlier] == [f"many-{number}" for number in range(20, 30)]
    assert [one.event.event_id for one in found.later] == [f"many-{number}" for number in range(31, 41)]


def test_event_without_a_session_and_client_has_no_neighbours(key: ApiKey) -> None:
    found = one_event.neighbours_of(event(key))
    assert (found.earlier, found.later) == ([], [])
