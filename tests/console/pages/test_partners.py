"""The pages of partners: what an operator finds on them, as a page and as JSON, within a bound of queries and rows."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from collect.models import LedgerEntry
from collect.storage import store
from keys.models import ApiKey
from tests.harness import databases, factories, plans

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
MINUTE = timedelta(minutes=1)
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def key() -> ApiKey:
    return factories.issue(label="order service")[0]


def address(key: ApiKey, query: str = "") -> str:
    return f"/admin/partners/{key.partner_id}{query}"


def send(key: ApiKey, minutes_ago: float, **fields: Any) -> None:
    at = NOW - minutes_ago * MINUTE
    store.write([factories.arrival(factories.source(key, received_at=at), **fields)])


def count(key: ApiKey, minutes_ago: int, events: int, outcome: str = "stored") -> None:
    LedgerEntry.objects.create(
        start=NOW - minutes_ago * MINUTE, minutes=1, partner=key.partner, api_key=key, is_test=False,
        endpoint="collect", outcome=outcome, code="", events=events, requests=0, bytes=0,
    )  # fmt: skip


def test_list_has_each_partner_with_numbers_share_rhythm_and_warnings(console: Client, key: ApiKey) -> None:
    factories.partner("Quiet")
    factories.issue(partner=factories.partner("Soon"), expires_at=datetime.now(UTC) + timedelta(days=2))
    count(key, 30, 90)
    count(key, 20, 10, "rejected")
    send(key, 20)
    data = console.get("/admin/partners.json").json()
    acme, quiet, soon = data["partners"]
    assert [one["name"] for one in data["partners"]] == ["Acme", "Quiet", "Soon"]
    assert (acme["events"], acme["refused_share"], sum(acme["rhythm"])) == (100, 0.1, 100)
    assert datetime.fromisoformat(acme["last_event"]) == NOW - 20 * MINUTE
    assert (quiet["events"], quiet["refused_share"], quiet["last_event"]) == (0, None, None)
    assert "expires at" in soon["warnings"][0]
    page = console.get("/admin/partners/").content.decode()
    assert "10 %" in page
    assert "Events of Acme" in page
    assert data["range"]["text"] in page


def test_list_names_partners_that_fell_silent(console: Client, key: ApiKey) -> None:
    for hour in range(2, 26):
        count(key, hour * 60 + 1, 1, "received")
    (acme,) = console.get("/admin/partners.json").json()["partners"]
    assert acme["warnings"] == [f"silent since {NOW - 121 * MINUTE:%Y-%m-%d %H:%M} UTC, and sent hour by hour before"]


def test_list_has_pages(console: Client) -> None:
    for n in range(30):
        factories.partner(f"partner {n:02}")
    first, second = (console.get("/admin/partners.json", {"page": page}).json() for page in (1, 2))
    assert [len(first["partners"]), len(second["partners"])] == [25, 5]
    assert 'href="?range=7d&amp;page=2"' in console.get("/admin/partners/", {"range": "7d"}).content.decode()


def test_page_shows_traffic_keys_and_quality(console: Client, key: ApiKey) -> None:
    count(key, 30, 5)
    count(key, 20, 2, "rejected")
    send(key, 20, event_name="order_created", event_id="o1", params={"value": 1})
    send(key, 19, event_name="contents_viewed")
    data = console.get(address(key, ".json")).json()
    assert data["outcomes"]["stored"] == 5
    assert sum(part.get("rejected", 0) for part in data["traffic"]) == 2
    (one,) = data["keys"]
    assert (one["label"], one["received"], one["refused"]) == ("order service", 7, 2)
    everything = data["quality"][0]
    assert (everything["events"], everything["shares"]["event id"]) == (2, 0.5)
    assert everything["shares"]["currency beside value"] == 0
    page = console.get(address(key, "/")).content.decode()
    assert "Nothing is wrong with it" in page
    assert "chart-rejected" in page
    links = {html.unescape(link) for link in re.findall(r'href="(/admin/(?:live|rejections)/\?[^"]+)"', page)}
    assert len(links) > 10
    assert all(f"partner={key.partner_id}&" in link and console.get(link).status_code == 200 for link in links)


def test_page_names_a_wrong_clock_and_a_field_that_vanished(console: Client, key: ApiKey) -> None:
    for n in range(120):
        at = NOW - (n + 2) * 5 * MINUTE
        params = {"order": n} if n < 30 else {"order": n, "value": 1}
        send(key, (n + 2) * 5, event_name="order_created", timestamp=at.timestamp() - 7_200 - n % 7 / 10, params=params)
    data = console.get(address(key, ".json")).json()
    (clock,) = data["clock"]
    assert (clock["signature"], clock["ahead_seconds"], clock["of"]) == ("time_zone", -7_200, 120)
    (fall,) = data["vanished"]
    assert (fall["name"], fall["field"], fall["before"], fall["after"]) == ("order_created", "params.value", 1, 0)
    assert datetime.fromisoformat(fall["last"]) == NOW - 32 * 5 * MINUTE
    page = console.get(address(key, "/")).content.decode()
    assert "local time of UTC-02:00 is sent as if it were UTC" in page
    assert "<code>params.value</code> was in 100 % of <code>order_created</code>" in page


def test_what_senders_wrote_is_shown_as_text(console: Client, key: ApiKey) -> None:
    hostile = factories.partner(HOSTILE)
    key, _ = factories.issue(partner=hostile, label=HOSTILE)
    count(key, 30, 5)
    for n in range(40):
        params = {} if n < 20 else {HOSTILE: 1}
        send(key, 10 + n, event_name=HOSTILE, params=params)
    for path in (address(key, "/"), "/admin/partners/"):
        page = console.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        assert "\u202e" not in page


@pytest.mark.parametrize("query", ["range=2y", "from=yesterday", "from=2026-11-26&until=2026-11-25"])
def test_address_that_names_no_time_is_refused(console: Client, key: ApiKey, query: str) -> None:
    for path in ("/admin/partners/", "/admin/partners.json", address(key, "/")):
        assert console.get(f"{path}?{query}").status_code == 400


@pytest.mark.parametrize("number", [0, 999_999, 10**30])
def test_partner_that_is_none_is_not_found(console: Client, number: int) -> None:
    assert console.get(f"/admin/partners/{number}/").status_code == 404


@pytest.mark.parametrize("path", ["/admin/partners/", "/admin/partners.json", "/admin/partners/1/"])
def test_pages_are_for_those_who_may_see_events(path: str) -> None:
    client = Client()
    assert client.get(path).status_code == 302
    User.objects.create_user("clerk", password="secret", is_staff=True)
    assert client.login(username="clerk", password="secret")
    assert client.get(path).status_code == 403


def test_pages_ask_the_same_number_of_queries_for_many_partners(console: Client, key: ApiKey) -> None:
    count(key, 30, 5)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            console.get("/admin/partners/")
        return len(captured)

    before = queries()
    for n in range(20):
        count(factories.issue(partner=factories.partner(f"more {n}"))[0], 30, 5)
    assert queries() == before


def test_no_query_of_a_page_reads_more_rows_than_its_sample(console: Client, key: ApiKey) -> None:
    plans.fill(key, 20_000)
    for n in range(200):
        count(key, n, 5)
    newest = key.events.order_by("-received_at").values_list("received_at", flat=True)[0]
    period = {"from": (newest - timedelta(days=1)).isoformat(), "until": (newest + timedelta(minutes=1)).isoformat()}
    for path in ("/admin/partners/", address(key, "/")):
        with plans.captured() as queries:
            assert console.get(path, period).status_code == 200
        plans.assert_bounded([query for query in queries if "collect_" in query.sql])


@pytest.mark.postgresql
def test_sample_is_read_by_the_index_on_partner_and_arrival(console: Client, key: ApiKey) -> None:
    assert not databases.is_sqlite()
    plans.fill(key, 5_000)
    with plans.captured() as queries:
        console.get(address(key, "/"))
    samples = [query for query in queries if "octet_length" in query.sql]
    assert len(samples) == 40
    for plan in plans.assert_bounded(samples, rows=50):
        assert "event_arrival" in plan.text
