"""What people see is what there is: marks spelled out, numbers and moments exact, names as they are written."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from collect import assembly
from collect.intake import contract
from collect.models import Event, Rejection
from collect.storage import store
from collect.storage.rows import Arrival
from keys import history
from keys.models import ApiKey, KeyChange
from runtime.refusals import Code, Refusal
from tests.console.key_pages import LIST, change, text
from tests.harness import factories
from tests.harness.values import some

pytestmark = pytest.mark.django_db

# All that changes the direction of the text behind it, and two that act on what shows them.
MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x07\x9b"
# What shows as nothing, or breaks a line where nobody sees it.
UNSEEN = "\u200b\u2028\ufeff\u00ad\u2060"
SPELLED = "\\u061c\\u200e\\u200f\\u202a\\u202b\\u202c\\u202d\\u202e\\u2066\\u2067\\u2068\\u2069\\x07\\x9b"  # as in JSON


def stored(body: bytes, **source: Any) -> str:
    """The id of the event that this body became."""
    key = ApiKey.objects.first() or factories.issue()[0]
    row = assembly.build(contract.decode(body), factories.source(key, **source))
    (result,) = store.write([Arrival.of(row, body, "request-1")])
    return result.id


def field(page: str, label: str) -> str:
    """The text of the field with this label, on the page of a row."""
    found = some(re.search(rf">{label}</label>.*?<div class=\"readonly[^>]*>(.*?)</div>", page, re.DOTALL))[1]
    return re.sub(r"<[^>]+>", "", found).strip()


def outside_of_forms(page: str) -> str:
    """The page without what its fields would send back."""
    return re.sub(r'(?s)\bvalue="[^"]*"|<textarea\b.*?</textarea>', "", page)


@pytest.fixture
def marked(console: Client) -> list[str]:
    """The addresses of pages on which something is named with marks."""
    marks = UNSEEN + MARKS
    owner = factories.partner(f"P{marks}")
    key, _ = factories.issue(partner=owner, label=f"L{marks}", tags=[f"T{marks}"])
    names = ("event_name", "tag_id", "event_id", "page_url", "referrer", "user_agent", "session_id", "client_id")
    more = ("click_id", "impression_id", "bid_id", "attribution_type", "zeta")
    texts = dict.fromkeys((*names, *more), f"E{marks}")
    event = factories.arrival(factories.source(key), **texts, params={marks: marks}, consent={marks: marks})
    (result,) = store.write([event])
    Event.objects.update(geo_city=marks, geo_region=marks, ua_browser=marks, ua_device_model=marks)
    refusal = Refusal(Code.INVALID_EVENT, marks, errors={marks: [marks]})
    factories.reject(refusal, factories.source(key), marks.encode(), request_id=marks)
    history.record(key, KeyChange.What.CHANGED, history.Actor(f"A{marks}"), f"D{marks}")
    console.post(change(key), {"label": f"N{marks}", "expires_at_0": "", "expires_at_1": "", "tags": "a"})
    collected = f"/admin/collect/event/{result.id}/change/"
    rejected = f"/admin/collect/rejection/{Rejection.objects.get().pk}/change/"
    lists = ["/admin/collect/event/", "/admin/collect/rejection/", "/admin/collect/rejectiontally/", LIST]
    lists += ["/admin/keys/keychange/", "/admin/keys/partner/", f"/admin/keys/partner/{owner.pk}/change/"]
    steps = [f"{LIST}{key.pk}/{step}/" for step in ("change", "rotate", "revoke", "issued")]
    # An option of a form, and a line of Django's own history.
    console.post(f"/admin/keys/partner/{owner.pk}/change/", {"name": f"Q{marks}"})
    others = [f"{LIST}add/?partner={owner.pk}", f"/admin/keys/partner/{owner.pk}/history/"]
    return [*lists, collected, rejected, *steps, *others, "/admin/"]


def test_marks_are_spelled_out_on_every_page(console: Client, marked: list[str]) -> None:
    for address in marked:
        page = outside_of_forms(text(console.get(address)))
        assert not set(page) & set(UNSEEN + MARKS), address
        assert f"\\u200b\\u2028\\ufeff\\u00ad\\u2060{SPELLED}" in page, address


def test_every_column_of_an_event_shows_its_marks(console: Client, marked: list[str]) -> None:
    page = text(console.get(f"/admin/collect/event/{Event.objects.get().pk}/change/"))
    labels = "Event name|Event id|Tag id|Page URL|Referrer|User agent|Session id|Client id|Click id|Impression id"
    labels += "|Bid id|Attribution type|City|Region|Browser|Device model|Partner|API key"
    for label in labels.split("|"):
        assert SPELLED in field(page, label), label
    for label in ("Params", "Consent", "Extra"):  # JSON has its own spelling of the last two
        assert SPELLED.removesuffix("\\x07\\x9b") in field(page, label), label
    assert SPELLED in some(re.search(r"<title>(.*?)</title>", page, re.DOTALL))[1]


def test_field_of_a_form_keeps_its_marks_so_that_saving_changes_nothing(console: Client) -> None:
    key, _ = factories.issue(label=f"שלום{MARKS}", tags=[f"ת{MARKS}"])
    page = text(console.get(change(key)))
    assert f'value="שלום{MARKS}"' in page
    assert f"ת{MARKS}</textarea>" in page
    console.post(change(key), {"label": key.label, "expires_at_0": "", "expires_at_1": "", "tags": f"ת{MARKS}"})
    assert ApiKey.objects.values_list("label", "tags").get() == (f"שלום{MARKS}", [f"ת{MARKS}"])


def test_choices_that_a_script_shows_have_their_marks_spelled_out(console: Client) -> None:
    factories.partner(f"P\\u202e{MARKS}")
    address = "/admin/autocomplete/?app_label=keys&model_name=apikey&field_name=partner"
    assert console.get(address).json()["results"][0]["text"] == f"P\\u202e{SPELLED}"


def test_text_with_quotes_does_not_pass_for_a_field_of_a_form(console: Client) -> None:
    event = stored(b'{"event_name":"value=\\"\xe2\x80\xae\\" <textarea>\xe2\x80\xae</textarea>"}')
    for address in ("/admin/collect/event/", f"/admin/collect/event/{event}/change/"):
        assert "\u202e" not in text(console.get(address))


@pytest.mark.parametrize(
    "number", ["58.00", "12345678901234567890", "12345678901234567890.5", "0.1000", "-0.0", "1" + "0" * 400, "5"]
)
@pytest.mark.parametrize("column", ["params", "consent", "extra"])
def test_numbers_are_shown_as_they_were_sent(console: Client, number: str, column: str) -> None:
    value = f'"n":{{"deep":[{number}]}}'
    part = value if column == "extra" else f'"{column}":{{{value}}}'
    event = stored(b'{"event_name":"x",%s}' % part.encode())
    page = text(console.get(f"/admin/collect/event/{event}/change/"))
    shown = field(page, column.capitalize()).replace("&quot;", '"')
    expected = f'{{\n  "n": {{\n    "deep": [\n      {number}\n    ]\n  }}\n}}'
    assert shown == (expected.replace("-0.0", "0.0") if shown.count("-") == 0 else expected)


def test_absent_json_is_a_dash_and_an_empty_object_itself(console: Client) -> None:
    event = stored(b'{"event_name":"x"}')
    page = text(console.get(f"/admin/collect/event/{event}/change/"))
    assert (field(page, "Params"), field(page, "Consent"), field(page, "Extra")) == ("{}", "-", "{}")


@pytest.mark.parametrize(
    ("seconds", "shown", "listed"),
    [
        ("1748275200", "2025-05-26 16:00:00.000 UTC", "2025-05-26 16:00:00.000 UTC"),
        ("1748275200.25", "2025-05-26 16:00:00.250 UTC", "2025-05-26 16:00:00.250 UTC"),
        ("1748275200.123456", "2025-05-26 16:00:00.123456 UTC", "2025-05-26 16:00:00.123 UTC"),
    ],
)
def test_moments_of_events_keep_their_fractions_and_zone(
    console: Client, seconds: str, shown: str, listed: str
) -> None:
    received = datetime.fromtimestamp(float(seconds), UTC)
    event = stored(b'{"event_name":"x","timestamp":%s}' % seconds.encode(), received_at=received)
    page = text(console.get(f"/admin/collect/event/{event}/change/"))
    assert (field(page, "Timestamp"), field(page, "Received")) == (shown, shown)
    assert f">{listed}<" in text(console.get("/admin/collect/event/"))


def test_other_moments_have_their_zone(console: Client) -> None:
    key, _ = factories.issue()
    key.created_at = datetime(2025, 5, 26, 16, 0, 1, tzinfo=UTC)
    ApiKey.objects.update(created_at=key.created_at)
    KeyChange(key=key, what="changed", by_name="x", at=key.created_at.replace(microsecond=5_000)).save()
    assert field(text(console.get(change(key))), "Created") == "2025-05-26 16:00:01 UTC"
    assert "2025-05-26 16:00:01 UTC" in text(console.get(LIST))
    assert "2025-05-26 16:00:01.005 UTC" in text(console.get("/admin/keys/keychange/"))
    assert "UTC UTC" not in text(console.get(f"{LIST}{key.pk}/revoke/"))


def test_key_is_named_as_it_is_written(console: Client) -> None:
    key, _ = factories.issue()
    for step in ("change", "rotate", "revoke", "extend"):
        assert "Thrad_" not in text(console.get(f"{LIST}{key.pk}/{step}/"))
    heading = some(re.search(rf'href="{change(key)}"[^>]*>\s*(.*?)\s*</a', text(console.get(change(key)))))[1]
    assert heading == f"{key.prefix} (backend)"


@pytest.mark.parametrize(("is_bot", "shown"), [(None, "-"), (True, "yes"), (False, "no")])
def test_what_is_true_false_or_unknown_is_said_in_words(console: Client, is_bot: bool | None, shown: str) -> None:
    event = stored(b'{"event_name":"x"}')
    Event.objects.update(ua_is_bot=is_bot)
    page = text(console.get(f"/admin/collect/event/{event}/change/"))
    assert (field(page, "Bot"), field(page, "Test")) == (shown, "no")
    assert "question_mark" not in page


def test_history_button_leads_to_a_history_or_is_not_there(console: Client, operator: User) -> None:
    key, _ = factories.issue()
    event = stored(b'{"event_name":"x"}')
    for address in (f"event/{event}", "rejection/1"):
        assert console.get(f"/admin/collect/{address}/history/").status_code == 404
    assert "/history/" not in text(console.get(f"/admin/collect/event/{event}/change/"))
    assert f'href="/admin/keys/keychange/?q={key.prefix}"' in text(console.get(change(key)))
    answer = console.get(f"{LIST}{key.pk}/history/", follow=True)
    assert answer.redirect_chain == [(f"/admin/keys/keychange/?q={key.prefix}", 302)]
    assert "issued" in text(answer)
    made_elsewhere = f"/admin/keys/partner/{key.partner_id}"
    assert "/history/" not in text(console.get(f"{made_elsewhere}/change/"))
    console.post(f"{made_elsewhere}/change/", {"name": "Acme & Sons"})
    assert f"{made_elsewhere}/history/" in text(console.get(f"{made_elsewhere}/change/"))
    assert operator.username in text(console.get(f"{made_elsewhere}/history/"))


@pytest.mark.parametrize("page", ["event", "rejection", "rejectiontally"])
def test_abbreviations_are_written_as_such(console: Client, page: str) -> None:
    stored(b'{"event_name":"x"}')
    factories.reject(Refusal(Code.INVALID_JSON, "no"), factories.source(ApiKey.objects.get()), b"{", request_id="r")
    listing = text(console.get(f"/admin/collect/{page}/"))
    row = some(re.search(rf"/admin/collect/{page}/[^/\"]+/change/", listing))[0]
    assert not re.search(r">\s*(Api|Ua|Ip|Geo) ", listing + text(console.get(row)))


def test_line_of_a_history_has_a_page_and_each_column_its_name(console: Client) -> None:
    key, _ = factories.issue()
    page = text(console.get("/admin/keys/keychange/"))
    assert f"/admin/keys/keychange/{key.history.get().pk}/change/" in page
    assert 'data-label="Select record"' not in page


def test_filters_are_reached_by_the_keyboard(console: Client) -> None:
    for address in (LIST, "/admin/collect/event/", "/admin/auth/user/"):
        page = text(console.get(address))
        button = some(re.search(r"<button[^>]*aria-controls=\"changelist-filter\"[^>]*>", page))[0]
        assert 'type="button"' in button
        assert "x-bind:aria-expanded" in button
        assert not re.search(r"<a(?![^>]*\bhref=)[^>]*x-on:click=\"filterOpen", page)
