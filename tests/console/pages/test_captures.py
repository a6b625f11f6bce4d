"""Captures in the console: ordered, listed, opened by those who may, and each opening is noted."""

import gzip
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from collect.models import Capture
from console.pages import captures
from keys.models import ApiKey, KeyChange
from tests.collect.captures.sent import EVENT, arm, send, written
from tests.console.key_pages import change, text
from tests.harness import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]


def captured(body: bytes = EVENT, path: str = "/api/collect", /, **headers: str) -> Capture:
    """A capture of a new key."""
    key, raw_key = factories.issue()
    arm(key)
    send(raw_key, body, path, **headers)
    return written()[-1]


def address(capture: Capture, end: str = "/") -> str:
    return f"/admin/captures/{capture.pk}{end}"


def noted(capture: Capture) -> list[tuple[str, str]]:
    lines = KeyChange.objects.filter(key=capture.api_key, what="capture", detail__contains=f"capture {capture.pk},")
    return [(line.by_name, line.detail.partition(" capture")[0]) for line in lines.order_by("pk")]


def staff(*rights: str) -> Client:
    """A clerk who may only look at keys, and has these rights besides."""
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_apikey", *rights]))
    client = Client()
    client.force_login(user)
    return client


def test_capture_is_ordered_listed_and_stopped_on_the_key_s_page(console: Client) -> None:
    key, raw_key = factories.issue()
    assert "Nothing has been captured" in text(console.get(change(key)))
    page = text(console.post(f"/admin/captures/of-key/{key.pk}/order", {"requests": "5"}, follow=True))
    assert "The next 5 requests are kept" in page
    assert "5 more requests are kept as they come" in page
    assert "the next 5 requests, until" in page
    send(raw_key, EVENT, "/api/collect/validate")
    (capture,) = written()
    page = text(console.get(change(key)))
    assert "4 more requests are kept" in page
    assert f'href="{address(capture)}"' in page
    page = text(console.post(f"/admin/captures/of-key/{key.pk}/stop", follow=True))
    assert "No more requests are kept" in page
    assert "Running" not in page
    assert ApiKey.objects.get().capture_left == 0
    assert "Nothing was being kept" in text(console.post(f"/admin/captures/of-key/{key.pk}/stop", follow=True))
    lines = KeyChange.objects.filter(what="capture").order_by("pk")
    assert [(line.by_name, line.address) for line in lines] == [("operator", "127.0.0.1")] * 2


@pytest.mark.parametrize("number", ["", "0", "101", "x", "9" * 30])
def test_number_out_of_bounds_is_told(console: Client, number: str) -> None:
    key, _ = factories.issue()
    page = text(console.post(f"/admin/captures/of-key/{key.pk}/order", {"requests": number}, follow=True))
    assert "The number of requests is 1 to 100." in page
    assert ApiKey.objects.get().capture_left == 0


def test_page_shows_all_of_it_and_notes_who_looked(console: Client) -> None:
    capture = captured(EVENT, "/api/collect/validate", **{"X-Note": "<b>bold</b>", "User-Agent": "orders/2.14"})
    response = console.get(address(capture))
    page = text(response)
    for shown in ("orders/2.14", "&lt;b&gt;bold&lt;/b&gt;", "POST /api/collect/validate HTTP/1.1", "Answer: 200"):
        assert shown in page
    assert "{&quot;event_name&quot;: &quot;custom&quot;,  &quot;client_id&quot;: &quot;ann&quot;}" in page
    assert "<b>bold" not in page
    assert "no-store" in response["Cache-Control"]
    assert noted(capture) == [("operator", "opened")]


def test_data_is_the_page_s_and_is_noted_too(console: Client) -> None:
    capture = captured(b"{", "/api/collect")
    response = console.get(address(capture, ".json"))
    told = response.json()["capture"]
    assert told["request"]["body"]["shown"] == "{"
    assert (told["answer"]["status"], told["request_id"]) == (400, capture.request_id)
    assert '"code": "invalid_json"' in told["answer"]["body"]["shown"]
    assert "no-store" in response["Cache-Control"]
    assert noted(capture) == [("operator", "opened")]


def test_body_leaves_as_a_file_that_no_browser_opens(console: Client) -> None:
    body = b"<script>alert(1)</script>\xff"
    capture = captured(body)
    response = console.get(address(capture, "/body"))
    assert response.content == body
    told = ("Content-Type", "Content-Disposition", "X-Content-Type-Options")
    assert [response[name] for name in told] == [
        "application/octet-stream",
        f'attachment; filename="capture-{capture.pk}.bin"',
        "nosniff",
    ]
    assert "no-store" in response["Cache-Control"]
    assert noted(capture) == [("operator", "downloaded the body of")]


def test_body_that_is_no_text_is_a_dump_and_gzip_is_shown_inflated_too(console: Client) -> None:
    page = text(console.get(address(captured(gzip.compress(EVENT), **{"Content-Encoding": "gzip"}))))
    assert "000000  1f 8b 08" in page
    assert "What is in it, inflated" in page
    assert "&quot;client_id&quot;: &quot;ann&quot;" in page


def test_hostile_body_is_shown_as_text(console: Client) -> None:
    body = '{"event_name": "<script>alert(1)</script>\u202e\u2066"}'.encode()
    capture = captured(body)
    page = text(console.get(address(capture)))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e\\u2066" in page
    assert f"@capture-{capture.pk}.bin" in page


@pytest.mark.parametrize("rights", [(), ("view_capture",), ("capture_requests",)])
def test_each_right_opens_its_own_door(rights: tuple[str, ...]) -> None:
    capture = captured()
    key, client = capture.api_key, staff(*rights)
    may_see, may_order = "view_capture" in rights, "capture_requests" in rights
    for end in ("/", ".json", "/body"):
        assert client.get(address(capture, end)).status_code == (200 if may_see else 403)
    assert len(noted(capture)) == (3 if may_see else 0)
    order = f"/admin/captures/of-key/{key.pk}/order"
    assert client.post(order, {"requests": "50"}).status_code == (302 if may_order else 403)
    assert ApiKey.objects.get().capture_left == (50 if may_order else 9)
    page = text(client.get(change(key)))
    assert ('id="capture"' in page) == bool(rights)
    assert (address(capture) in page) == may_see
    assert (order in page) == may_order
    assert client.post(f"/admin/captures/of-key/{key.pk}/stop").status_code == (302 if may_order else 403)
    assert ApiKey.objects.get().capture_left == (0 if may_order else 9)


def test_stranger_is_sent_to_the_login_and_a_form_needs_its_token(operator: User) -> None:
    capture = captured()
    for end in ("/", ".json", "/body"):
        assert Client().get(address(capture, end))["Location"].startswith("/admin/login/")
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    for what in ("order", "stop"):
        assert client.post(f"/admin/captures/of-key/{capture.api_key_id}/{what}", {"requests": 50}).status_code == 403
        assert client.get(f"/admin/captures/of-key/{capture.api_key_id}/{what}").status_code == 405
    assert ApiKey.objects.get().capture_left == 9


@pytest.mark.parametrize("number", ["0", "999999", "9" * 30])
def test_capture_that_is_not_there_is_not_found(console: Client, number: str) -> None:
    for path in (f"{number}/", f"{number}.json", f"{number}/body"):
        assert console.get(f"/admin/captures/{path}").status_code == 404
    for what in ("order", "stop"):
        assert console.post(f"/admin/captures/of-key/{number}/{what}", {"requests": 1}).status_code == 404


# --- the command that sends it again ---


def curl_of(body: bytes, /, **headers: str) -> str:
    return captures.curl(captured(body, "/api/collect/validate?a=b c'd", **headers), "https://collect.example")


def test_curl_has_a_placeholder_for_the_key_and_quotes_the_rest() -> None:
    line = curl_of(b"""{"event_name": "it's $(x)"}""", **{"X-Note": "a'b", "X-Api-Key": "hidden", "Cookie": "c"})
    assert line.endswith(' -H "Authorization: Bearer $KEY"')
    assert line.startswith("curl -i -g --path-as-is -X POST 'https://collect.example/api/collect/validate?a=b%20c")
    assert """--data-raw '{"event_name": "it'"'"'s $(x)"}'""" in line
    assert """'X-Note: a'"'"'b'""" in line
    for word in ("hidden", "Cookie", "Content-Length", "X-Api-Key", "thrad_live"):
        assert word not in line


@pytest.mark.parametrize("body", [b"\xff", b"a" * (captures.MAX_IN_LINE + 1), b"\x00", "\u202e".encode()])
def test_curl_sends_the_file_where_a_line_could_not_hold_the_body(body: bytes) -> None:
    assert "--data-binary @capture-" in curl_of(body)


def test_curl_without_a_body_sends_none() -> None:
    assert "--data" not in curl_of(b"")


def test_lists_read_no_bodies(console: Client, django_assert_max_num_queries: Any) -> None:
    capture = captured()
    with django_assert_max_num_queries(25) as queries:
        console.get(change(capture.api_key))
    assert not [query["sql"] for query in queries if '"collect_capture"."body"' in query["sql"]]
