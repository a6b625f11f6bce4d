"""The page of the search: one box, results by kind, and no secret in an address."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from collect.models import Event, Rejection
from collect.search import runs
from collect.storage import store
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db

PAGE, DATA = "/admin/find/", "/admin/find.json"


@pytest.fixture
def key() -> ApiKey:
    return factories.issue(label="the shop")[0]


def event(key: ApiKey, at: datetime | None = None, **fields: Any) -> str:
    source = factories.source(key, received_at=at or datetime.now(UTC))
    return store.write([factories.arrival(source, **fields)])[0].id


def reject(key: ApiKey, request_id: str) -> Rejection:
    factories.reject(Refusal(Code.INVALID_JSON, "no"), factories.source(key), b"{", request_id=request_id)
    return Rejection.objects.get(request_id=request_id)


def data(client: Client, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(DATA, {"q": text}).json()
    return answer


def test_what_is_typed_comes_back_in_the_address(console: Client) -> None:
    answer = console.post(PAGE, {"q": " order 123 "})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PAGE}?q=order+123")


@pytest.mark.parametrize("form", ["{}", "Authorization: Bearer {}", "{}\n"])
def test_whole_key_is_found_by_its_prefix_and_its_secret_goes_no_further(console: Client, form: str) -> None:
    key, raw_key = factories.issue()
    answer = console.post(PAGE, {"q": form.format(raw_key)}, follow=True)
    assert answer.redirect_chain == [(f"{PAGE}?q={key.prefix}", 302)]
    page = answer.content.decode()
    assert "rotate or revoke it" in page
    assert f"/admin/keys/apikey/{key.pk}/change/" in page
    assert raw_key[len(key.prefix) + 1 :] not in page


@pytest.mark.parametrize("address", [PAGE, DATA])
def test_key_in_an_address_is_taken_out_and_named_as_leaked(console: Client, address: str) -> None:
    key, raw_key = factories.issue()
    answer = console.get(address, {"q": raw_key}, follow=True)
    assert answer.redirect_chain == [(f"{address}?q={key.prefix}", 302)]
    assert raw_key[len(key.prefix) + 1 :] not in answer.content.decode()
    assert "treat it as leaked" in console.get(PAGE).content.decode() + answer.content.decode()


def test_event_is_found_by_its_id_and_by_those_of_its_sender(console: Client, key: ApiKey) -> None:
    id = event(key, datetime.now(UTC) - timedelta(days=400), event_id="evt-1", params={"order_id": 123})
    for text, place in ((id, "id"), (id.replace("-", "").upper(), "id"), ("evt-1", "event_id")):
        (found,) = data(console, text)["events"]
        assert (found["id"], found["found_in"]) == (id, [place])
    (found,) = data(console, "123")["events"]
    assert (found["partner"], found["outcome"]) == ("Acme", "stored")
    page = console.get(PAGE, {"q": "123"}).content.decode()
    assert f"/admin/collect/event/{id}/change/" in page
    assert "params.order_id" in page


def test_imported_event_is_called_so(console: Client, key: ApiKey) -> None:
    event(key, event_id="e")
    Event.objects.update(api_key=None)
    (found,) = data(console, "e")["events"]
    assert (found["outcome"], found["api_key"]) == ("imported", None)


def test_rejection_is_found_by_its_request_its_number_and_the_event_that_it_met(console: Client, key: ApiKey) -> None:
    rejection = reject(key, "request-7")
    reject(key, "request-8")
    met, became = uuid4(), uuid4()
    Rejection.objects.filter(pk=rejection.pk).update(event=met, replayed_as=became)
    for text in ("request-7", str(rejection.pk), str(met), str(became)):
        found = data(console, text)["rejections"]
        assert [one["id"] for one in found] == [rejection.pk]
    assert (found[0]["outcome"], found[0]["api_key"]) == ("invalid_json", key.prefix)
    assert f"/admin/collect/rejection/{rejection.pk}/change/" in console.get(PAGE, {"q": "request-7"}).content.decode()


def test_key_is_found_by_its_prefix_and_its_label(console: Client, key: ApiKey) -> None:
    for text in (key.prefix, "The Shop"):
        assert [found["prefix"] for found in data(console, text)["keys"]] == [key.prefix]
    assert data(console, key.prefix[:-1])["keys"] == []


def test_nothing_found_says_what_was_searched_how_far_back_and_what_is_not_searchable(
    console: Client, key: ApiKey
) -> None:
    plans.fill(key, 30)
    page = console.get(PAGE, {"q": "<b>nothing</b>"}).content.decode()
    assert "Nothing has exactly this" in page
    assert "&lt;b&gt;nothing" in page
    assert "<b>nothing" not in page
    for part in ("Events of any age", "client_id", "order_id", "request id", "Live filters by them"):
        assert part in page
    assert "still being put into the search index" not in page


def test_index_that_is_not_complete_says_since_when_it_is(console: Client, key: ApiKey) -> None:
    plans.fill(key, 30, newest=datetime(2026, 5, 26, 16, tzinfo=UTC))
    runs.append(10)
    found = data(console, "many-1")
    assert found["events"] == []
    assert ["Events from before 2026-05-26 15:59:59 UTC" in sentence for sentence in found["limits"]] == [True]
    assert "Events from before 2026-05-26 15:59:59 UTC" in console.get(PAGE, {"q": "many-1"}).content.decode()
    runs.suspect([Event.objects.get(event_id="many-29").pk])
    assert "imported or deleted in 1 of 1 parts" in data(console, "many-1")["limits"][1]


def test_older_events_are_a_page_further(console: Client, key: ApiKey) -> None:
    plans.fill(key, 60)
    Event.objects.update(client_id="one")
    first = data(console, "one")
    assert [event["event_id"] for event in first["events"]] == [f"many-{number}" for number in range(60, 10, -1)]
    second = console.get(first["older"].replace(PAGE, DATA)).json()
    assert [event["event_id"] for event in second["events"]] == [f"many-{number}" for number in range(10, 0, -1)]
    assert second["older"] is None
    assert "Older events" in console.get(PAGE, {"q": "one"}).content.decode()


def test_operator_finds_only_what_he_may_see(key: ApiKey, client: Client) -> None:
    event(key, event_id="request-7")
    reject(key, "request-7")
    user = User.objects.create_user("clerk", password="secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_rejection"))
    client.force_login(user)
    found = data(client, "request-7")
    assert (found["events"], len(found["rejections"])) == ([], 1)
    assert data(client, key.prefix)["keys"] == []


@pytest.mark.parametrize("text", ["", " ", "x" * 5_000, "\u202e", "9" * 400, "%", "'"])
def test_any_text_has_an_answer(console: Client, text: str) -> None:
    assert console.get(PAGE, {"q": text}).status_code == 200
    assert data(console, text)["is_found"] is False


def test_search_reads_bounded_rows(console: Client, key: ApiKey) -> None:
    plans.fill(key, 12_000, newest=datetime.now(UTC) - timedelta(days=1))
    while runs.append(1_000) or runs.prepend(1_000):
        pass
    with plans.captured() as queries:
        assert data(console, "many-7")["is_found"]
    plans.assert_bounded(queries)
