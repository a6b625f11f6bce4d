"""The overview and the ledger's page: what they say, to whom, and where their numbers lead."""

import html
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from collect.models import Event, LedgerEntry, LedgerGap, Machine
from collect.storage import ingest
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Endpoint
from collect.storage.ledger.tally import shared as counts
from collect.storage.removal import remove
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])


@pytest.fixture
def key() -> ApiKey:
    """A key whose partner sent three events ten minutes ago."""
    key = factories.key(factories.partner("<b>Acme</b>"))[0]
    source = factories.source(key, received_at=timezone.now() - timedelta(minutes=10))
    params = {"value": 10, "currency": "EUR"}
    ingest.submit([factories.arrival(source, event_name="order_created", params=params, n=n) for n in range(3)])
    entries.add(entries.total(counts.take()))
    return key


def findings(console: Client) -> dict[str, str]:
    return {one["text"]: one["state"] for one in console.get("/admin/overview.json").json()["findings"]}


def test_all_is_well_where_it_is(console: Client, key: ApiKey) -> None:
    now = timezone.now()
    Machine.objects.create(name="a", reported_at=now, spool_events=0, geo_state="ok", geo_built_at=now)
    assert {*findings(console).values()} == {"well"}
    page = console.get("/admin/").content.decode()
    assert "Every event is accounted for" in page
    assert "&lt;b&gt;Acme&lt;/b&gt;" in page
    assert "<b>Acme</b>" not in page


def test_what_is_not_well_is_said_first(console: Client, key: ApiKey) -> None:
    now = timezone.now()
    Machine.objects.create(name="a", reported_at=now - timedelta(minutes=5), geo_state="missing")
    Machine.objects.create(
        name="b", reported_at=now, spool_events=7, spool_oldest=now, spool_set_aside=2, geo_state="ok", geo_built_at=now
    )
    LedgerEntry.objects.filter(outcome="stored").update(outcome="unavailable")
    found = findings(console)
    assert [*found.values()] == sorted(found.values(), key=["broken", "attention", "well"].index)
    said = "\n".join(found)
    for text in ("a has not reported", "7 events wait in the spool of b", "2 events that the database refused"):
        assert text in said
    assert "3 events were answered 503" in said
    assert "a has no geo database" in said


def test_difference_is_shown_with_its_size_and_what_may_explain_it(console: Client, key: ApiKey) -> None:
    LedgerEntry.objects.filter(outcome="stored").update(events=1)
    page = console.get("/admin/ledger/").content.decode()
    assert "A difference that nothing explains" in page
    assert "2 without an outcome" in page
    assert "2 more rows than were counted" in page
    at = timezone.now() - timedelta(minutes=10)
    LedgerGap.objects.create(machine="a", process=uuid4(), start=at, end=at, events=4)
    page = console.get("/admin/ledger/").content.decode()
    assert "A difference that has an explanation" in page
    assert "Unknown, at most <b>4</b>" in page


def test_what_was_taken_away_is_taken_away_in_the_equation(console: Client, key: ApiKey) -> None:
    remove(list(Event.objects.values_list("pk", flat=True)[:2]), Endpoint.ERASE)
    page = console.get("/admin/ledger/?range=1h").content.decode()
    assert "Every event is accounted for" in page
    line = " ".join(re.sub(r"<[^>]+>", " ", page.partition("rows in the table")[2].partition("</p>")[0]).split())
    assert line.startswith("= 3 stored at once \N{MINUS SIGN} 2 erased live and test keys")


@pytest.mark.parametrize(
    ("chosen", "events", "rejections"),
    [
        ("name=order_created", 4, 0),
        ("country=DE", 2, 0),
        ("browser=Firefox", 2, 0),
        ("bot=monitor", 1, 0),
        ("currency=EUR", 3, 0),
        ("outcome=stored", 4, 0),
        ("outcome=conflict", 0, 1),
        ("outcome=rejected", 0, 1),
        ("kind=live", 4, 2),
    ],
)
def test_number_leads_to_the_list_behind_it(
    console: Client, key: ApiKey, chosen: str, events: int, rejections: int
) -> None:
    source = factories.source(key, received_at=timezone.now() - timedelta(minutes=10))
    first, *others = Event.objects.filter(event_name="order_created")
    factories.reject(Refusal(Code.INVALID_EVENT, "event_name: required"), source, b"{}")
    for name in ("order_created", "another"):
        ingest.submit([factories.arrival(source, event_id="1", event_name=name)])
    entries.add(entries.total(counts.take()))
    Event.objects.filter(pk=first.pk).update(ua_bot_reason="monitor")
    Event.objects.filter(pk__in=[one.pk for one in others]).update(geo_country="DE", ua_browser="Firefox")
    page = html.unescape(console.get("/admin/").content.decode())
    # Of a test key: in no figure of this page, and in no list behind one.
    sandbox = factories.source(factories.key(key.partner, is_test=True)[0], received_at=source.received_at)
    ingest.submit([factories.arrival(sandbox, event_name="order_created", params={"currency": "EUR"})])
    factories.reject(Refusal(Code.INVALID_EVENT, "event_name: required"), sandbox, b"{}")
    ends = re.escape(f"&{chosen}")
    links = {*re.findall(rf'href="/admin/live/(\?[^"]*{ends})"', page)}
    assert links
    seen = set()
    for link in links:
        rows = [
            row for second in console.get(f"/admin/live.json{link}").json()["list"]["seconds"] for row in second["rows"]
        ]
        seen.add(tuple(sum(row["kind"] == kind for row in rows) for kind in ("event", "rejection")))
    # Links of another time, such as a bar of another minute, have nothing or a part.
    assert max(seen) == (events, rejections)


def test_data_has_the_numbers_of_the_page(console: Client, key: ApiKey) -> None:
    found = console.get("/admin/overview.json").json()
    assert found["received"] == 3
    assert found["tops"]["event_name"] == [{"value": "order_created", "events": 3}]
    (worth,) = found["tops"]["worth"]
    assert (worth["currency"], worth["sum"], worth["events"]) == ("EUR", "30", 3)
    assert sum(point["outcomes"].get("stored", 0) for point in found["day"]["series"]) == 3
    (partner,) = found["partners"]
    assert len(console.get(partner["list"].replace("/live/", "/live.json")).json()["list"]["seconds"]) == 1
    ledger = console.get(f"/admin/ledger.json?partner={key.partner_id}&range=1h").json()
    assert (ledger["received"], ledger["outcomes"]["stored"], ledger["equation"]["rows"]["counted"]) == (3, 3, 3)


def test_list_behind_a_sum_has_the_events_that_are_in_it(console: Client, key: ApiKey) -> None:
    source = factories.source(key, received_at=timezone.now() - timedelta(minutes=10))
    for number, value in enumerate(("10", None, 10**11, {"amount": 10}, -2.5)):
        params = {"value": value, "currency": "eur"}
        ingest.submit([factories.arrival(source, event_id=str(number), event_name="order_created", params=params)])
    (worth,) = console.get("/admin/overview.json").json()["tops"]["worth"]
    seconds = console.get(worth["list"].replace("/live/", "/live.json")).json()["list"]["seconds"]
    assert (worth["sum"], worth["events"]) == ("27.5", 4)
    assert sum(len(second["rows"]) for second in seconds) == 4


@pytest.mark.parametrize("query", [{"partner": "x"}, {"kind": "x"}, {"range": "x"}, {"from": "x"}])
def test_address_that_names_nothing_is_refused_with_its_part(console: Client, query: dict[str, str]) -> None:
    answer = console.get("/admin/ledger.json", query)
    assert answer.status_code == 400
    assert "'x'" in answer.json()["detail"]
    assert answer.json()["detail"].startswith(next(iter(query)) if query != {"from": "x"} else "'x'")


def test_who_may_see_no_events_sees_no_number_of_them(client: Client, key: ApiKey) -> None:
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    page = client.get("/admin/")
    assert page.status_code == 200
    assert b"order_created" not in page.content
    assert client.get("/admin/overview.json").json() == {"may_see_events": False}
    assert client.get("/admin/ledger/").status_code == 403
    assert Client().get("/admin/overview.json").status_code == 302
