"""The page Live: what its HTML and its JSON say, and who may see it."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from collect.models import LateArrival
from collect.storage import store
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.e2e.live.watcher import Watcher
from tests.harness import factories

pytestmark = pytest.mark.django_db

LIVE, HOSTILE = "/admin/live/", "<script>alert(1)</script>\u202egnp"


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def send(key: ApiKey, *names: str, age: float = 1, **fields: Any) -> list[str]:
    """Store events of these names; their ids."""
    source = factories.source(key, received_at=datetime.now(UTC) - timedelta(seconds=age))
    return [one.id for one in store.write([factories.arrival(source, event_name=name, **fields) for name in names])]


def watcher(console: Client, query: str = "") -> Watcher:
    return Watcher(lambda address: console.get(address).json(), query)


def test_page_and_its_json_have_the_rows_and_lead_to_what_is_new(console: Client, key: ApiKey) -> None:
    (first,) = send(key, "first")
    seen = watcher(console)
    page = console.get(LIVE).content.decode()
    assert seen.shown() == {("event", first)}
    assert f'id="event-{first}"' in page
    (second,) = send(key, "second")
    seen.look()
    assert seen.shown() == {("event", first), ("event", second)}
    following = re.search(r'id="live-next" hx-get="([^"]+)"', page)
    assert following
    news = console.get(following[1].replace("&amp;", "&")).content.decode()
    assert f'id="event-{second}"' in news
    assert "<html" not in news
    assert 'id="live-next"' in news


def test_second_that_was_told_is_replaced_and_a_new_one_is_put_in(console: Client, key: ApiKey) -> None:
    moment = (datetime.now(UTC) - timedelta(seconds=10)).replace(microsecond=500_000)

    def age() -> float:
        return (datetime.now(UTC) - moment).total_seconds()

    (old,) = send(key, "old", age=age())
    following = re.search(r'id="live-next" hx-get="([^"]+)"', console.get(LIVE).content.decode())
    assert following
    (again,), (new,) = send(key, "again", age=age()), send(key, "new", age=age() - 5)
    news = console.get(following[1].replace("&amp;", "&")).content.decode()
    replaced, _, inserted = news.partition('<table hx-swap-oob="afterend:#live-head">')
    assert re.findall(r'<tbody id="second-(\d+)"[^>]*hx-swap-oob="true">', replaced) == [str(int(moment.timestamp()))]
    assert re.findall(r'<tr id="event-([^"]+)"', replaced) == sorted([old, again], reverse=True)
    assert re.findall(r'<tr id="event-([^"]+)"', inserted) == [new]


def test_burst_is_folded_to_a_link_to_the_list_of_its_second_under_the_same_filter(
    console: Client, key: ApiKey
) -> None:
    ids = send(key, *["many"] * 30)
    other, _ = factories.key(factories.partner("Beta"))
    send(other, *["many"] * 5)
    query = f"partner={key.partner_id}&name=many"
    (one,) = watcher(console, query).seconds.values()
    assert (one["more"], len(one["rows"])) == (20, 10)
    page = console.get(f"{LIVE}?{query}").content.decode()
    assert "and 20 more in this second" in page
    assert query.replace("&", "&amp;") in page
    assert {id for _, id in watcher(console, query).read(one["list"])} == set(ids)


def test_list_of_a_past_time_is_paged_to_its_end(console: Client, key: ApiKey) -> None:
    ids = send(key, *["x"] * 130, age=3_600)
    send(key, "y")
    until = f"{datetime.now(UTC) - timedelta(minutes=30):%Y-%m-%dT%H:%M}"
    page = console.get(LIVE, {"until": until}).content.decode()
    found = re.findall(r'<tr id="event-([^"]+)"', page)
    (following,) = re.findall(r'href="(/admin/live/\?[^"]*before=[^"]+)"', page)
    found += re.findall(r'<tr id="event-([^"]+)"', console.get(following.replace("&amp;", "&")).content.decode())
    assert sorted(found) == sorted(ids)
    assert "live.js" not in page
    assert "Until " in page


def test_rejections_stand_in_the_stream_with_their_reason_and_page(console: Client, key: ApiKey) -> None:
    source = factories.source(key)
    factories.reject(Refusal(Code.INVALID_EVENT, "event_name: required"), source, b"{}")
    page = console.get(LIVE).content.decode()
    assert "event_name: required" in page
    assert re.search(r'href="/admin/collect/rejection/\d+/change/"', page)


def test_what_came_late_is_said_with_a_link(console: Client, key: ApiKey) -> None:
    seen = watcher(console)
    moment = datetime(2026, 11, 26, 14, 2, tzinfo=UTC)
    told = seen.get(LIVE.replace("live/", "live.json"))["news"]["next"].replace("live.json", "live/")
    kept = {"road": "spool", "partner": key.partner, "events": 12, "rejections": 0, "start": moment, "end": moment}
    LateArrival.objects.create(at=datetime.now(UTC) - timedelta(seconds=10.001), **kept)
    page = " ".join(re.sub(r"<[^>]+>", " ", console.get(told).content.decode()).split())
    assert "2026-11-26 14:02:00 to 14:02:01 UTC : 12 events of Acme came late, from the spool" in page


def test_hostile_text_is_text(console: Client, key: ApiKey) -> None:
    send(key, HOSTILE, tag_id=HOSTILE, event_id=HOSTILE)
    for address in (LIVE, json.loads(console.get("/admin/live.json").content)["news"]["next"].replace(".json", "/")):
        page = console.get(address).content.decode()
        assert "<script>alert" not in page
        assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202egnp" in console.get(LIVE).content.decode()


def test_page_has_no_script_or_style_of_its_own_in_its_html(console: Client, key: ApiKey) -> None:
    send(key, "x")
    content = console.get(LIVE).content.decode().partition('id="content"')[2]
    assert not re.search(r"<script(?! src)|<style| style=| on\w+=|hx-on|js:", content.partition("</table>")[0])


@pytest.mark.parametrize(
    "query", ["after=x", "before=x&range=1h", "outcome=x", "partner=x", "key=7", "from=x", "range=1y", "until=1"]
)
def test_address_that_says_nothing_is_a_400(console: Client, query: str) -> None:
    assert console.get(f"{LIVE}?{query}").status_code == 400
    assert console.get(f"/admin/live.json?{query}").status_code == 400


def test_filter_is_in_the_form(console: Client, key: ApiKey) -> None:
    page = console.get(LIVE, {"key": str(key.pk), "name": "x", "outcome": "stored"}).content.decode()
    assert f'<option value="{key.pk}" selected>' in page
    assert f'<option value="{key.partner_id}" selected>Acme' in page
    assert '<option value="stored" selected>' in page
    assert 'name="name" value="x"' in page


def test_who_may_see_events_alone_may_not_look(client: Client) -> None:
    user = User.objects.create_user("looker", password="secret", is_staff=True)
    client.force_login(user)
    user.user_permissions.add(Permission.objects.get(codename="view_event"))
    assert client.get(LIVE).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_rejection"))
    assert client.get(LIVE).status_code == 200
