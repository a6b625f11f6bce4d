"""The console shows what arrives and what was refused, hostile text included, and changes nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collect.intake.source import Source
from collect.models import Event, Rejection, SearchRun
from collect.search import runs
from collect.storage import ingest, store
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db

HOSTILE = '=1+1 <script>alert("x")</script> \u202eevil'


@pytest.fixture
def source() -> Source:
    api_key, _ = factories.key(factories.partner("acme"))
    return factories.source(api_key)


def stored(source: Source, **fields: Any) -> str:
    (result,) = store.write([factories.arrival(source, **fields)])
    return result.id


def test_list_shows_events_newest_first_without_counting_them(
    admin_client: Client, source: Source, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(3):
        stored(factories.source(ApiKey.objects.get()), event_name=f"name_{n}")
    with django_assert_max_num_queries(8) as queries:
        page = admin_client.get("/admin/collect/event/").content.decode()
    assert page.index("name_2") < page.index("name_0")
    assert not any("COUNT(" in query["sql"] for query in queries.captured_queries)


def test_hostile_text_is_escaped_everywhere(admin_client: Client, source: Source) -> None:
    event = stored(source, event_name=HOSTILE, tag_id=HOSTILE, params={HOSTILE: HOSTILE}, zeta=HOSTILE, consent={})
    refusal = Refusal(Code.INVALID_EVENT, HOSTILE, errors={HOSTILE: [HOSTILE]})
    factories.reject(refusal, source, HOSTILE.encode() + b"\xff", request_id="r1")
    rejection = Rejection.objects.get().pk
    for path in ("event/", f"event/{event}/change/", "rejection/", f"rejection/{rejection}/change/"):
        page = admin_client.get(f"/admin/collect/{path}").content.decode()
        assert "alert(" in page
        assert "<script>alert" not in page
    assert "\\u202eevil" in page
    assert "\u202e" not in page


@pytest.mark.parametrize("name", ["event_id", "click_id", "impression_id", "bid_id", "session_id", "client_id"])
def test_search_of_the_list_finds_an_exact_id_of_any_age(admin_client: Client, source: Source, name: str) -> None:
    found = stored(source, **{"event_id": "e1", name: "needle"})
    old = factories.source(ApiKey.objects.get(), received_at=datetime.now(UTC) - timedelta(days=30))
    older = stored(old, **{"event_id": "e2", name: "needle", "tag_id": "t2"})
    other = stored(source, event_id="e3", click_id="needle and more", event_name="needle")
    page = admin_client.get("/admin/collect/event/", {"q": " needle "}).content.decode()
    assert [id in page for id in (found, older, other)] == [True, True, False]
    assert older in admin_client.get("/admin/collect/event/", {"q": older}).content.decode()
    filtered = admin_client.get("/admin/collect/event/", {"q": "needle", "event_name": "order_created"})
    assert found not in filtered.content.decode()


def test_search_of_the_list_says_what_it_could_not_search(admin_client: Client, source: Source) -> None:
    plans.fill(ApiKey.objects.get(), 30)
    runs.make(runs.FIRST, runs.LAST)
    assert "still being put into the search index" not in admin_client.get("/admin/collect/event/").content.decode()
    SearchRun.objects.update(first=Event.objects.get(event_id="many-21").pk)
    page = admin_client.get("/admin/collect/event/", {"q": "many-1"}).content.decode()
    assert "still being put into the search index" in page


def test_filters_narrow_the_lists(admin_client: Client, source: Source) -> None:
    order = stored(source, event_name="order_created")
    other = stored(source, event_name="something")
    page = admin_client.get("/admin/collect/event/", {"event_name": "order_created"}).content.decode()
    assert (order in page, other in page) == (True, False)
    factories.reject(Refusal(Code.INVALID_JSON, "no"), source, b"{", request_id="needle-1")
    factories.reject(Refusal(Code.INVALID_EVENT, "no"), source, b"{}", request_id="needle-2")
    page = admin_client.get("/admin/collect/rejection/", {"code": "invalid_json"}).content.decode()
    assert ("needle-1" in page, "needle-2" in page) == (True, False)


def test_kind_of_a_machine_is_shown_and_filtered(admin_client: Client, source: Source) -> None:
    crawler = stored(source, user_agent="AhrefsBot/7.0", tag_id="t1")
    library = stored(source, user_agent="okhttp/4.9.2", tag_id="t2")
    page = admin_client.get("/admin/collect/event/").content.decode()
    assert all(f"ua_bot_reason={reason}" in page for reason in ("crawler", "headless", "monitor", "http_library"))
    page = admin_client.get("/admin/collect/event/", {"ua_bot_reason": "crawler"}).content.decode()
    assert (crawler in page, library in page) == (True, False)
    page = admin_client.get("/admin/collect/event/", {"ua_bot_reason": "http_library"}).content.decode()
    assert (crawler in page, library in page) == (False, True)
    assert "http_library" in admin_client.get(f"/admin/collect/event/{library}/change/").content.decode()


def test_conflict_links_to_the_event_that_stays(admin_client: Client, source: Source) -> None:
    first = stored(source, event_id="a")
    ingest.submit([factories.arrival(source, event_id="a", params={"x": 1})])
    rejection = Rejection.objects.get().pk
    page = admin_client.get(f"/admin/collect/rejection/{rejection}/change/").content.decode()
    assert f'href="/admin/collect/event/{first}/change/"' in page
    assert "params: differs" in page
    assert admin_client.get(f"/admin/collect/event/{first}/change/").status_code == 200


def test_nothing_can_be_added_changed_or_deleted(admin_client: Client, source: Source) -> None:
    event = stored(source)
    for path in ("event/add/", f"event/{event}/delete/", "rejection/add/", "rejectiontally/add/"):
        assert admin_client.post(f"/admin/collect/{path}", {"post": "yes"}).status_code == 403
    assert admin_client.post(f"/admin/collect/event/{event}/change/", {"event_name": "y"}).status_code == 403
    assert Event.objects.get().event_name == "custom"


def test_counts_by_hour_are_shown(admin_client: Client, source: Source) -> None:
    factories.reject(Refusal(Code.INVALID_JSON, "no"), source, *[b"{"] * 3)
    assert admin_client.get("/admin/collect/rejectiontally/").status_code == 200


def test_nobody_looks_without_the_right(client: Client, django_user_model: type[User]) -> None:
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))
    assert client.get("/admin/collect/event/").status_code == 403


def test_rejection_links_the_event_that_it_became(admin_client: Client, source: Source) -> None:
    event = stored(source)
    refusal = Refusal(Code.INVALID_EVENT, "event_name: required")
    factories.reject(refusal, source, b"{}", request_id="request-1")
    rejection = Rejection.objects.get()
    link = f'href="/admin/collect/event/{event}/change/"'
    address = f"/admin/collect/rejection/{rejection.pk}/change/"
    assert link not in admin_client.get(address).content.decode()
    Rejection.objects.update(replayed_as=event)
    assert link in admin_client.get(address).content.decode()
