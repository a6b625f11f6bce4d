"""The pages of reports: the question is in the address, the answer is the command's, and what is wrong is said."""

import html
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from console.pages.reports import pages, question
from keys.models import ApiKey
from reporting.figures import promptness
from reporting.models import ReportRun
from reporting.reports.registry import REPORTS
from reporting.rollups.running import Rollup
from reporting.runs import answering, asking
from tests.console.key_pages import text
from tests.harness import commands, factories
from tests.reporting.reports.stored import NOON, write

pytestmark = pytest.mark.django_db

DAY = "from=2026-11-26&until=2026-11-27"
HOSTILE = "<script>alert(1)</script>\u202e"
State = ReportRun.State


def data(console: Client, address: str) -> dict[str, Any]:
    found: dict[str, Any] = console.get(f"/admin/reports/{address}").json()
    return found


def rows(found: dict[str, Any], table: str) -> list[Any]:
    (one,) = (one for one in found["answer"]["tables"] if one["name"] == table)
    return [list(row.values()) for row in one["rows"]]


def test_list_has_every_report_and_leads_to_its_page(console: Client) -> None:
    page = text(console.get("/admin/reports/"))
    told = console.get("/admin/reports.json").json()["reports"]
    assert [one["name"] for one in told] == list(REPORTS)
    for name, report in REPORTS.items():
        assert report.sentence in html.unescape(page)
        assert f'href="/admin/reports/{name}/"' in page
        assert console.get(f"/admin/reports/{name}/").status_code == 200
        assert console.get(f"/admin/reports/{name}.json").status_code == 200


@pytest.mark.usefixtures("key")
def test_report_of_counts_is_answered_at_once_in_the_days_of_the_time_zone(console: Client) -> None:
    utc, berlin = (data(console, f"daily.json?{DAY}&tz={zone}") for zone in ("UTC", "Europe/Berlin"))
    assert (utc["state"], utc["as_of"] is not None, utc["asked_at"]) == ("done", True, None)
    assert rows(utc, "daily") == [["2026-11-26", 2, 2]]
    # In Berlin the midnight before was at 23:00 UTC, when the third one happened.
    assert rows(berlin, "daily") == [["2026-11-26", 3, 3]]
    assert rows(berlin, "value") == [["2026-11-26", "EUR", 3, "14.5", "4.8333"]]
    assert not ReportRun.objects.exists()
    page = text(console.get(f"/admin/reports/daily/?{DAY}&tz=Europe/Berlin"))
    assert "2026-11-26: 3 events" in page
    assert "14.50" in page


@pytest.mark.usefixtures("key")
def test_json_has_the_answer_that_the_command_gives(console: Client) -> None:
    out, _ = commands.run("report", "daily", "--since", "2026-11-26", "--until", "2026-11-27", "--format", "json")
    assert data(console, f"daily.json?{DAY}")["answer"] == json.loads(out)


@pytest.mark.usefixtures("key")
def test_report_of_events_is_counted_once_and_shown_when_it_is_there(console: Client) -> None:
    address = f"/admin/reports/late/?{DAY}&tz=Asia/Tokyo"
    for _ in range(2):
        page = text(console.get(address))
        assert "Waits to be counted" in page
        assert 'hx-trigger="every 1s"' in page
    assert ReportRun.objects.get().state == State.WAITING
    waiting = data(console, f"late.json?{DAY}&tz=Asia/Tokyo")
    assert (waiting["state"], waiting["answer"], waiting["as_of"]) == ("waiting", None, None)
    # Nothing is sent while nothing has changed.
    assert """{"X-Seen": "waiting"}""" in html.unescape(page)
    asks = {"HX-Request": "true", "X-Seen": "waiting"}
    assert console.get(address, headers=asks).status_code == 204
    answering.work()
    part = text(console.get(address, headers=asks))
    assert part.strip().startswith('<div id="report-answer"')
    assert "hx-trigger" not in part
    assert "within a minute" in part
    done = data(console, f"late.json?{DAY}&tz=Asia/Tokyo")
    run = ReportRun.objects.get()
    assert run.started_at
    assert done["state"] == "done"
    # JSON has milliseconds.
    assert abs(datetime.fromisoformat(done["as_of"]) - run.started_at) < timedelta(milliseconds=1)
    # Noon in UTC is 21:00 in Tokyo, whose day began at 15:00 UTC the day before: all three are of it.
    assert sum(row[1] for row in rows(done, "late")) == 3
    assert ReportRun.objects.count() == 1


@pytest.mark.usefixtures("key")
def test_range_with_many_counts_is_counted_by_a_run(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promptness, "MOST_BUCKETS", {"sqlite": 0, "postgresql": 0})
    list(Rollup().run(NOON + timedelta(days=1)))
    assert data(console, f"daily.json?{DAY}")["state"] == "waiting"
    page = html.unescape(console.get(f"/admin/reports/daily/?{DAY}").content.decode())
    (sooner,) = re.findall(r'href="/admin/reports/daily/(\?[^"]*clients=no[^"]*)"', page)
    assert rows(data(console, f"daily.json{sooner}"), "daily") == [["2026-11-26", 2]]
    answering.work()
    assert rows(data(console, f"daily.json?{DAY}"), "daily") == [["2026-11-26", 2, 2]]


@pytest.mark.usefixtures("key")
def test_old_answer_is_shown_with_its_moment_while_a_new_one_is_counted(console: Client) -> None:
    console.get(f"/admin/reports/late/?{DAY}")
    answering.work()
    run = ReportRun.objects.get()
    assert run.started_at
    assert run.finished_at
    ReportRun.objects.update(finished_at=run.finished_at - asking.FRESH - timedelta(seconds=1))
    page = text(console.get(f"/admin/reports/late/?{DAY}"))
    assert f"Below is the answer of {run.started_at:%Y-%m-%d %H:%M:%S} UTC" in page
    assert "within a minute" in page
    assert ReportRun.objects.count() == 2


@pytest.mark.usefixtures("key")
def test_asking_again_counts_anew_and_leads_back(console: Client) -> None:
    address = f"/admin/reports/late/?{DAY}"
    console.get(address)
    answering.work()
    assert "Ask again" in text(console.get(address))
    answer = console.post(address)
    assert (answer.status_code, answer["Location"]) == (302, address)
    assert "Waits to be counted" in text(console.get(address))
    for bad in ("late/?from=soon", "params/", "daily/?step=x"):
        assert console.post(f"/admin/reports/{bad}").status_code == 302
    assert ReportRun.objects.count() == 2


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("daily/?from=soon", "from: &#x27;soon&#x27; is no date"),
        ("daily/?until=2026-13-01", "until: &#x27;2026-13-01&#x27; is no date"),
        ("daily/?from=2026-11-27&until=2026-11-26", "from: 2026-11-27 00:00 is not before 2026-11-26 00:00"),
        ("daily/?from=0001-01-01", "from: a page has 1,830 days at most"),
        ("daily/?from=2026-11-26T00:01&until=2026-11-27", "begins no quarter-hour"),
        ("daily/?tz=Mars", "time zone: &#x27;Mars&#x27; is none"),
        ("daily/?partner=Acme", "partner: a number"),
        ("daily/?partner=999999", "partner: there is none of the number 999999"),
        ("daily/?step=second", "step: &#x27;second&#x27; is none of"),
        ("daily/?filter=planet+is+Mars", "&#x27;planet&#x27; is none of"),
    ],
)
def test_what_is_wrong_is_said_beside_the_form_which_keeps_it(console: Client, address: str, told: str) -> None:
    answer = console.get(f"/admin/reports/{address}&by=tag")
    page = answer.content.decode()
    assert answer.status_code == 400
    assert told in page
    assert "<option selected>tag</option>" in page
    answer = console.get(f"/admin/reports/{address.replace('/?', '.json?')}")
    found = answer.json()
    assert (answer.status_code, found["state"], found["answer"]) == (400, "refused", None)
    assert html.unescape(told) in found["fault"]


def test_question_that_only_the_report_refuses_is_said_too(console: Client) -> None:
    console.get(f"/admin/reports/late/?{DAY}")
    ReportRun.objects.update(state=State.REFUSED, error="window: 'x' is no time", finished_at=datetime.now(NOON.tzinfo))
    answer = console.get(f"/admin/reports/late/?{DAY}")
    assert answer.status_code == 400
    assert "window: &#x27;x&#x27; is no time" in answer.content.decode()
    # htmx would show nothing of an answer with this status, and ask for ever.
    assert console.get(f"/admin/reports/late/?{DAY}", headers={"HX-Request": "true"}).status_code == 200


def test_failure_has_its_reason_and_can_be_tried_again(console: Client) -> None:
    console.get(f"/admin/reports/late/?{DAY}")
    ReportRun.objects.update(state=State.FAILED, error="disk full", finished_at=datetime.now(NOON.tzinfo))
    page = text(console.get(f"/admin/reports/late/?{DAY}"))
    assert "It could not be counted:" in page
    assert "disk full" in page
    assert "Ask again" in page
    assert data(console, f"late.json?{DAY}")["fault"] == "disk full"


def test_no_more_is_counted_than_can_be(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_OPEN", 0)
    answer = console.get(f"/admin/reports/late/?{DAY}")
    assert answer.status_code == 429
    assert "0 questions wait to be answered" in answer.content.decode()


def test_report_that_needs_an_argument_asks_for_it(console: Client) -> None:
    page = text(console.get("/admin/reports/params/"))
    assert "Say the name of the events, exactly as it is sent." in page
    assert 'name="event"' in page
    assert '<option value="order_created">' in page
    assert data(console, "params.json?event=")["state"] == "unasked"
    assert not ReportRun.objects.exists()


@pytest.mark.usefixtures("key")
def test_whole_question_is_in_the_address(console: Client) -> None:
    partner = ApiKey.objects.get().partner_id
    factories.partner("Beta")
    address = f"daily/?{DAY}&tz=Europe/Berlin&partner={partner}&step=week&by=tag&filter=country+is+unknown"
    page = text(console.get(f"/admin/reports/{address}"))
    for field in (
        'type="date" name="from" value="2026-11-26"',
        'name="tz" value="Europe/Berlin"',
        f'<option value="{partner}" selected>Acme</option>',
        "<option selected>week</option>",
        "<option selected>tag</option>",
        'name="filter" value="country is unknown"',
    ):
        assert field in page, field
    asked = data(console, address.replace("/?", ".json?"))["question"]
    assert asked == {
        "from": "2026-11-25T23:00:00+00:00",
        "until": "2026-11-26T23:00:00+00:00",
        "zone": "Europe/Berlin",
        "partner": partner,
        "arguments": [],
        "options": {"step": "week", "by": "tag", "filter": "country is unknown", "clients": "yes"},
    }
    links = [html.unescape(link) for link in re.findall(r'href="([^"]*tz=Europe[^"]*)"', page)]
    assert len(links) > 10
    for link in links:
        assert {"by=tag", "filter=country+is+unknown", f"partner={partner}"} <= set(re.split("[?&]", link))
        assert console.get(link if link.startswith("/") else f"/admin/reports/daily/{link}").status_code == 200


def test_times_of_day_have_fields_of_their_own(console: Client) -> None:
    page = text(console.get("/admin/reports/daily/?from=2026-11-26T14:00&until=2026-11-26T18:30Z&tz=Asia/Tokyo"))
    assert 'type="datetime-local" name="from" value="2026-11-26T14:00:00"' in page
    assert 'type="datetime-local" name="until" value="2026-11-27T03:30:00"' in page
    page = text(console.get(f"/admin/reports/daily/?{DAY}"))
    (link,) = re.findall(r'href="\?([^"]+)">With times of day', page)
    page = text(console.get(f"/admin/reports/daily/?{html.unescape(link)}"))
    assert 'type="datetime-local" name="from" value="2026-11-26T00:00:00"' in page


@pytest.mark.usefixtures("key")
def test_bar_of_a_day_leads_to_its_hours(console: Client) -> None:
    page = text(console.get("/admin/reports/daily/?from=2026-11-25&until=2026-11-27"))
    links = [html.unescape(link) for link in re.findall(r'class="chart-bar" href="([^"]+)"', page)]
    found = [
        [row[:2] for row in rows(data(console, link.partition("reports/")[2].replace("/?", ".json?")), "daily")]
        for link in links
    ]
    assert found == [[["2026-11-25T23:00:00+00:00", 1]], [["2026-11-26T11:00:00+00:00", 2]]]


def test_long_table_is_cut_and_says_so(console: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SHOWN", 2)
    for tag in "abc":
        write(key, tag_id=tag)
    page = text(console.get(f"/admin/reports/daily/?{DAY}&by=tag"))
    assert "The first 2 of 4 rows are shown; the files have all." in page
    assert len(rows(data(console, f"daily.json?{DAY}&by=tag"), "daily")) == 4


def test_what_senders_wrote_is_shown_as_text(console: Client) -> None:
    write(factories.issue(partner=factories.partner(HOSTILE))[0], event_name=HOSTILE, tag_id=HOSTILE)
    for address in (f"daily/?{DAY}&by=event_name", f"daily/?{DAY}&by=partner", f"daily/?filter=tag+is+{HOSTILE}"):
        page = text(console.get(f"/admin/reports/{address}"))
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_reports_are_for_those_who_may_see_events(console: Client) -> None:
    console.get(f"/admin/reports/late/?{DAY}")
    answering.work()
    addresses = [f"{path}?{DAY}" for path in ("reports/", "reports.json", "reports/late/", "reports/late.csv")]
    for right, status in (("view_rejection", 403), ("view_event", 200)):
        user = User.objects.create_user(right, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename=right))
        client = Client()
        client.force_login(user)
        assert [client.get(f"/admin/{one}").status_code for one in addresses] == [status] * len(addresses)
        assert client.post(f"/admin/reports/late/?{DAY}").status_code == (403 if status == 403 else 302)
        assert ('href="/admin/reports/"' in text(client.get("/admin/"))) is (status == 200)
    assert Client().get("/admin/reports/").status_code == 302


def test_no_option_or_argument_of_a_report_is_called_as_what_all_addresses_have() -> None:
    for report in REPORTS.values():
        named = [one.name for one in report.options] + [question.parameter(one) for one in report.arguments]
        assert len({*named, *question.SHARED}) == len(named) + len(question.SHARED), report.name


@pytest.mark.parametrize("value", ["\u202e", "9" * 30, "-1", "0", "0001-01-01", "9999-12-31", "2026-11-26T00:00+23:59"])
def test_page_takes_any_value(console: Client, value: str) -> None:
    console.raise_request_exception = False
    for name in ("from", "until", "tz", "partner", "step", "by", "filter", "run", "table", "other"):
        for path in ("daily/", "daily.json", "daily.csv", "late/", "late.csv"):
            assert console.get(f"/admin/reports/{path}", {name: value}).status_code in {200, 302, 400}, (name, path)
