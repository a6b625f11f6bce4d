"""From a POST to a row and back: sections 1, 3, 4 and 6 of the contract through the whole stack."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from collect.models import Event, Rejection
from tests.harness import factories

pytestmark = pytest.mark.django_db

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)


class Sender:
    """A backend with a key of its own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.key, self._raw_key = factories.key()

    def __call__(self, body: Any, path: str = "/api/collect", **headers: str) -> Any:
        """POST the body, as JSON unless it is bytes, and give the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._raw_key}", **headers}
        return self._client.post(path, data, content_type="application/json", headers=headers)


@pytest.fixture
def sender(client: Client) -> Sender:
    return Sender(client)


def test_collect_stores_every_field_as_sent(sender: Sender) -> None:
    sent = {
        **factories.SEED_EVENT,
        "page_url": "https://shop.example/cart?x=1",
        "referrer": "https://search.example/",
        "user_agent": CHROME,
        "client_id": "c1",
        "impression_id": "i1",
        "bid_id": "b1",
        "attribution_type": "click",
        "consent": {"gdpr": True, "purposes": [1, 2]},
        "channel": "web",
        "order_ref": {"a": [1]},
    }
    before = datetime.now(UTC)
    response = sender(sent)
    assert (response.status_code, response.content) == (204, b"")
    assert response["X-Event-Outcome"] == "stored"
    event = Event.objects.get()
    assert str(event.id) == response["X-Event-Id"]
    assert event.id.version == 7
    names = set(sent) - {"timestamp", "channel", "order_ref"}
    assert {name: getattr(event, name) for name in names} == {name: sent[name] for name in names}
    assert event.extra == {"order_ref": {"a": [1]}}
    assert event.timestamp == datetime(2025, 5, 26, 16, 0, tzinfo=UTC)
    assert before - timedelta(milliseconds=1) <= event.received_at <= datetime.now(UTC)
    assert (event.channel, event.is_test) == ("server", False)
    assert (event.partner, event.api_key) == (sender.key.partner, sender.key)
    assert event.ip_address == "127.0.0.1"
    assert (event.ua_browser, event.ua_browser_version, event.ua_os, event.ua_is_bot) == (
        "Chrome",
        "120.0.0.0",
        "Windows",
        False,
    )


def test_collect_of_the_least_event_leaves_the_rest_null(sender: Sender) -> None:
    assert sender({"event_name": " x "}).status_code == 204
    event = Event.objects.get()
    assert event.event_name == "x"
    assert event.timestamp == event.received_at
    assert event.tag_id == "site:unknown"
    assert (event.params, event.extra, event.consent) == ({}, {}, None)
    nulls = (
        "event_id",
        "page_url",
        "user_agent",
        "click_id",
        "attribution_type",
        "geo_country",
        "ua_browser",
        "ua_is_bot",
        "ua_bot_reason",
    )
    assert [getattr(event, name) for name in nulls] == [None] * len(nulls)


def test_collect_on_the_v1_path_is_the_same(sender: Sender) -> None:
    assert sender({"event_name": "x"}, path="/v1/api/collect").status_code == 204
    assert Event.objects.count() == 1


def test_collect_takes_nobodys_word_for_who_sends(sender: Sender) -> None:
    other = factories.partner()
    sender(
        {
            "event_name": "x",
            "partner": other.pk,
            "partner_id": other.pk,
            "api_key": 1,
            "is_test": True,
            "id": "1",
        }
    )
    event = Event.objects.get()
    assert (event.partner, event.is_test) == (sender.key.partner, False)
    assert event.extra["partner_id"] == other.pk


def test_collect_with_a_test_key_marks_the_event(client: Client) -> None:
    _, raw_key = factories.key(is_test=True)
    headers = {"Authorization": f"bearer {raw_key}"}
    response = client.post("/api/collect", {"event_name": "x"}, content_type="application/json", headers=headers)
    assert response.status_code == 204
    assert Event.objects.get().is_test is True


@pytest.mark.parametrize(
    ("fields", "headers", "tag"),
    [
        (
            {"page_url": "https://WWW.Shop.Example:8443/x"},
            {"Origin": "https://o.example"},
            "site:www.shop.example",
        ),
        ({"page_url": "https://bücher.example/"}, {}, "site:xn--bcher-kva.example"),
        ({"page_url": "not a url"}, {"Origin": "https://o.example"}, "site:o.example"),
        ({}, {"Origin": "null", "Referer": "https://r.example/p"}, "site:r.example"),
        ({"tag_id": "  "}, {"Referer": "https://r.example/p"}, "site:r.example"),
        ({"tag_id": "T"}, {"Origin": "https://o.example"}, "T"),
        ({}, {}, "site:unknown"),
    ],
)
def test_tag_is_derived_through_page_origin_and_referer(
    sender: Sender, fields: dict[str, str], headers: dict[str, str], tag: str
) -> None:
    assert sender({"event_name": "x", **fields}, **headers).status_code == 204
    assert Event.objects.get().tag_id == tag


def test_same_event_again_is_a_duplicate(sender: Sender) -> None:
    first = sender(factories.SEED_EVENT)
    again = sender(json.dumps(factories.SEED_EVENT, sort_keys=True, indent=3).encode())
    assert (again.status_code, again["X-Event-Outcome"]) == (204, "duplicate")
    assert again["X-Event-Id"] == first["X-Event-Id"]
    assert Event.objects.count() == 1
    assert not Rejection.objects.exists()


def test_same_id_with_another_body_is_a_conflict_kept_as_a_rejection(sender: Sender) -> None:
    first = sender(factories.SEED_EVENT)
    other = {**factories.SEED_EVENT, "params": {"quantity": 3}, "click_id": "clk_other"}
    response = sender(other, **{"X-Request-Id": "req-7"})
    assert (response.status_code, response["X-Event-Outcome"]) == (204, "conflict")
    assert response["X-Event-Id"] == first["X-Event-Id"]
    assert Event.objects.get().params == factories.SEED_EVENT["params"]
    rejection = Rejection.objects.get()
    assert rejection.code == "conflict"
    assert rejection.errors == {"click_id": ["differs"], "params": ["differs"]}
    assert str(rejection.event) == first["X-Event-Id"]
    assert json.loads(bytes(rejection.body)) == other
    assert (rejection.request_id, rejection.api_key, rejection.partner) == (
        "req-7",
        sender.key,
        sender.key.partner,
    )


def test_id_is_the_partners_and_the_tags_own(sender: Sender, client: Client) -> None:
    sender(factories.SEED_EVENT)
    assert sender({**factories.SEED_EVENT, "tag_id": "tag_2"})["X-Event-Outcome"] == "stored"
    _, foreign = factories.key()
    headers = {"Authorization": f"Bearer {foreign}"}
    response = client.post("/api/collect", factories.SEED_EVENT, content_type="application/json", headers=headers)
    assert response["X-Event-Outcome"] == "stored"
    _, rotated = factories.key(sender.key.partner)
    headers = {"Authorization": f"Bearer {rotated}"}
    response = client.post("/api/collect", factories.SEED_EVENT, content_type="application/json", headers=headers)
    assert response["X-Event-Outcome"] == "duplicate"


def test_without_event_id_every_request_is_a_row(sender: Sender) -> None:
    event = {key: value for key, value in factories.SEED_EVENT.items() if key != "event_id"}
    for sent in (event, event, {**event, "event_id": None}, {**event, "event_id": " "}):
        assert sender(sent)["X-Event-Outcome"] == "stored"
    assert Event.objects.count() == 4


def test_refused_event_is_kept_as_a_rejection(sender: Sender) -> None:
    body = b'{"params": 7, "timestamp": "x"}'
    response = sender(body, **{"X-Request-Id": "req-8"})
    assert response.status_code == 400
    assert response.json() == {
        "detail": "event_name: required; timestamp: must be a number of Unix seconds; params: must be an object",
        "code": "invalid_event",
        "errors": {
            "event_name": ["required"],
            "timestamp": ["must be a number of Unix seconds"],
            "params": ["must be an object"],
        },
        "request_id": "req-8",
    }
    rejection = Rejection.objects.get()
    assert (rejection.code, bytes(rejection.body), rejection.body_size) == ("invalid_event", body, len(body))
    assert rejection.errors == response.json()["errors"]
    assert not Event.objects.exists()


def test_numbers_in_params_come_back_as_sent(sender: Sender) -> None:
    big = 10**4999 + 7
    sent = f'{{"event_name":"x","params":{{"big":{big},"a":{2**63},"b":{2**64},"c":58.00,"d":-0.1,"e":1e22}}}}'
    assert sender(sent.encode()).status_code == 204
    params = Event.objects.get().params
    assert params == {"big": big, "a": 2**63, "b": 2**64, "c": 58.0, "d": -0.1, "e": 1e22}


def test_params_can_be_queried(sender: Sender) -> None:
    sender({"event_name": "x", "params": {"value": 58.5, "currency": "USD", "items": [{"sku": "a"}]}})
    sender({"event_name": "x", "params": {"value": 10, "currency": "EUR"}})
    assert Event.objects.filter(params__currency="USD").count() == 1
    assert Event.objects.filter(params__value__gt=50).count() == 1
    assert Event.objects.filter(params__items__0__sku="a").count() == 1


def test_text_is_stored_as_sent_but_for_nul_and_lone_surrogates(sender: Sender) -> None:
    hostile = "=1+1 <script>alert(1)</script> \u202e🎉 \\u0000 '; DROP TABLE"
    body = json.dumps({"event_name": hostile, "params": {"k": [hostile, "a\x00b", "\ud800"]}}).encode()
    assert sender(body).status_code == 204
    event = Event.objects.get()
    assert event.event_name == hostile
    assert event.params == {"k": [hostile, "a\ufffdb", "\ufffd"]}


def test_validate_shows_the_row_and_stores_nothing(sender: Sender) -> None:
    response = sender({**factories.SEED_EVENT, "user_agent": CHROME, "zeta": 1}, path="/api/collect/validate")
    assert response.status_code == 200
    answer = response.json()
    assert answer["valid"] is True
    event = answer["event"]
    assert event["event_name"] == "items_added"
    assert event["params"] == factories.SEED_EVENT["params"]
    assert event["extra"] == {"zeta": 1}
    assert (event["channel"], event["ip_address"], event["ua_browser"]) == ("server", "127.0.0.1", "Chrome")
    assert event["geo_country"] is None
    assert (event["partner"], event["api_key"]) == (sender.key.partner.name, sender.key.prefix)
    columns = {field.name for field in Event._meta.concrete_fields}
    assert set(event) == columns
    assert not Event.objects.exists()


def test_validate_gives_the_refusal_of_collect_and_keeps_none(sender: Sender) -> None:
    headers = {"X-Request-Id": "same"}
    body = b'{"event_id": 1}'
    validated = sender(body, path="/api/collect/validate", **headers)
    assert not Rejection.objects.exists()
    collected = sender(body, **headers)
    assert (validated.status_code, validated.json()) == (collected.status_code, collected.json())


def test_ids_are_compared_exactly_as_sent(sender: Sender) -> None:
    """Case, Unicode form and blanks count: these are seven events."""
    for event_id in ("order-é", "order-e\u0301", "Order-é", " order-é", "order-é ", "order-é\t", "\uff4frder-é"):
        assert sender({"event_name": "x", "tag_id": "t", "event_id": event_id})["X-Event-Outcome"] == "stored"
        assert sender({"event_name": "x", "tag_id": "t", "event_id": event_id})["X-Event-Outcome"] == "duplicate"
    assert sender({"event_name": "x", "tag_id": "T", "event_id": "order-é"})["X-Event-Outcome"] == "stored"
    assert Event.objects.count() == 8


def test_request_id_is_the_callers_when_sane(sender: Sender) -> None:
    assert sender({"event_name": "x"}, **{"X-Request-Id": "abc-1"})["X-Request-Id"] == "abc-1"
    for hostile in ("a b", "x" * 129, 'a"b', "é", factories.unknown()):
        given = sender({"event_name": "x"}, **{"X-Request-Id": hostile})["X-Request-Id"]
        assert given != hostile
        assert len(given) == 32
