"""The pages of keys: issue and revoke through the real pages."""

import html
import re
import shlex
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from keys import crypto, lifecycle
from keys.models import ApiKey, Partner, State
from tests.harness import factories
from tests.harness.values import some

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.keys.urls")]

LIST = "/admin/keys/apikey/"
ADD = f"{LIST}add/"
RAW_KEY = re.compile(r"thrad_(?:live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("operator", password="secret")


@pytest.fixture
def console(operator: User) -> Client:
    """A client that is logged in, so that there is a session."""
    client = Client()
    assert client.login(username="operator", password="secret")
    return client


def change(key: ApiKey) -> str:
    return f"{LIST}{key.pk}/change/"


def issue(client: Client, **fields: Any) -> Any:
    data = {"partner": factories.partner("Acme").pk, "label": "backend", "expires_at_0": "", "expires_at_1": ""}
    return client.post(ADD, {**data, **fields})


def raw_key_of(response: Any) -> str:
    return some(RAW_KEY.search(response.content.decode()))[0]


def text(response: Any) -> str:
    assert response.status_code == 200
    body: str = response.content.decode()
    return body


def database_contains(needle: str) -> list[str]:
    """The tables in which some column of some row shows this text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # from the catalogue
            if any(needle in str(value) for row in cursor.fetchall() for value in row):
                found.append(table)
    return found


# --- issue ---


def test_issue_shows_the_key_once_and_never_again(console: Client) -> None:
    response = issue(console)
    raw_key = raw_key_of(response)
    key = ApiKey.objects.get()
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    assert crypto.matches(raw_key, key.digest)
    for page in (LIST, change(key), f"{LIST}{key.pk}/history/", "/admin/", ADD, "/admin/keys/partner/"):
        body = text(console.get(page))
        assert raw_key not in body
        assert raw_key[24:] not in body


def test_issue_leaves_the_raw_key_nowhere_in_the_database(console: Client) -> None:
    response = issue(console)
    raw_key = raw_key_of(response)
    secret = raw_key[24:67]
    console.get(LIST)
    assert Session.objects.exists()
    assert LogEntry.objects.exists()
    assert set(database_contains(ApiKey.objects.get().prefix)) == {"keys_apikey", "django_admin_log"}
    assert database_contains(raw_key) == []
    assert database_contains(secret) == []
    sessions = [session.get_decoded() for session in Session.objects.all()]
    assert secret not in repr(sessions)
    assert secret not in repr(console.cookies) + repr(response.headers)


def test_issue_logs_no_raw_key(console: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "django.db.backends")
    # Statements are logged only when asked for: the worst that an operator could switch on.
    with CaptureQueriesContext(connection):
        raw_key = raw_key_of(issue(console))
    assert "INSERT INTO" in caplog.text
    assert raw_key[24:67] not in caplog.text


def test_issue_notes_who_and_what(console: Client, operator: User) -> None:
    expires = timezone.now().replace(microsecond=0) + timedelta(days=2)
    date, clock = expires.date().isoformat(), expires.time().isoformat()
    response = issue(console, label="shop", is_test="on", expires_at_0=date, expires_at_1=clock)
    key = ApiKey.objects.get()
    assert raw_key_of(response).startswith("thrad_test_")
    assert (key.partner.name, key.label, key.is_test) == ("Acme", "shop", True)
    assert (key.created_by, key.expires_at) == (operator, expires)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr) == (operator, str(key))


@pytest.mark.parametrize("button", ["_save", "_continue", "_addanother", "_popup"])
def test_issue_shows_the_key_whichever_button_was_pressed(console: Client, button: str) -> None:
    assert RAW_KEY.search(text(issue(console, **{button: "1"})))


def test_issue_page_offers_one_way_to_save(console: Client) -> None:
    body = text(console.get(ADD))
    assert 'name="_save"' in body
    assert 'name="_continue"' not in body
    assert 'name="_addanother"' not in body


def test_issue_page_has_a_line_that_can_be_pasted(console: Client) -> None:
    response = issue(console)
    raw_key = raw_key_of(response)
    line = html.unescape(some(re.search(r'id="curl"[^>]*>(.*?)</code>', text(response)))[1])
    words = shlex.split(line)
    assert words[:3] == ["curl", "-i", "http://testserver/api/collect"]
    assert f"Authorization: Bearer {raw_key}" in words
    assert "\n" not in line


def test_issue_page_copies_by_a_script_of_ours_and_holds_none_inline(console: Client) -> None:
    body = text(issue(console))
    own = body[body.index('id="content"') :]
    assert 'src="/static/console/copy.js"' in body
    assert 'data-copy="raw-key"' in own or "data-copy=raw-key" in own
    assert RAW_KEY.findall(body)
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>[^<]*thrad_", body)
    assert not re.search(r"\bon\w+=[\"'][^\"']*thrad_", body)


def test_issue_escapes_what_people_wrote(console: Client) -> None:
    partner = factories.partner("<script>alert(1)</script>")
    body = text(issue(console, partner=partner.pk, label='"><img src=x onerror=alert(2)>'))
    assert "<script>alert(1)" not in body
    assert "<img src=x" not in body


@pytest.mark.parametrize(
    "fields",
    [
        {"label": ""},
        {"partner": ""},
        {"label": "a" * 256},
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
    ],
)
def test_issue_refuses_a_form_with_faults(console: Client, fields: dict[str, str]) -> None:
    body = text(issue(console, **fields))
    assert not RAW_KEY.search(body)
    assert not ApiKey.objects.exists()


# --- change ---


def test_change_edits_the_label_and_the_expiry_and_nothing_else(console: Client) -> None:
    key, _ = factories.issue()
    other = factories.partner("Other")
    before = ApiKey.objects.values("partner", "prefix", "digest", "is_test", "created_at").get()
    response = console.post(
        change(key),
        {
            "label": "renamed",
            "expires_at_0": "2099-01-01",
            "expires_at_1": "00:00",
            "partner": other.pk,
            "prefix": "x",
            "digest": "x",
            "is_test": "on",
            "revoked_at": "x",
        },
    )
    assert response.status_code == 302
    key.refresh_from_db()
    assert (key.label, some(key.expires_at).year) == ("renamed", 2099)
    assert ApiKey.objects.values("partner", "prefix", "digest", "is_test", "created_at").get() == before


def test_change_saved_after_somebody_revoked_does_not_bring_the_key_back(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = factories.issue()
    clean = ApiKey.clean

    def revoked_meanwhile(self: ApiKey) -> None:
        lifecycle.revoke(ApiKey.objects.get(pk=key.pk), factories.ACTOR)
        clean(self)

    monkeypatch.setattr(ApiKey, "clean", revoked_meanwhile)
    console.post(change(key), {"label": "renamed", "expires_at_0": "", "expires_at_1": ""})
    key.refresh_from_db()
    assert (key.label, key.state) == ("renamed", State.REVOKED)


def test_change_page_shows_the_state_as_a_word_and_the_digest_not_at_all(console: Client) -> None:
    key, _ = factories.revoked()
    body = text(console.get(change(key)))
    assert "revoked" in body
    assert key.digest not in body
    assert 'name="partner"' not in body


# --- list ---


def test_list_has_the_columns_of_a_key(console: Client) -> None:
    factories.issue(label="one")
    factories.expired(label="two", is_test=True)
    factories.revoked(label="three")
    body = text(console.get(LIST))
    for word in ("Acme", "one", "two", "three", "live", "test", "active", "expired", "revoked"):
        assert word in body
    for key in ApiKey.objects.all():
        assert key.prefix in body
        assert key.digest not in body


def shown(response: Any) -> set[str]:
    body = text(response)
    return {label for label in ("one", "two", "three") if f"label-{label}" in body}


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ({"state": "active"}, {"one"}),
        ({"state": "expired"}, {"two"}),
        ({"state": "revoked"}, {"three"}),
        ({"state": "nonsense"}, {"one", "two", "three"}),
        ({"is_test__exact": "1"}, {"two"}),
        ({"q": "label-three"}, {"three"}),
        ({"q": "Beta"}, {"two"}),
        ({"q": "thrad_test_"}, {"two"}),
    ],
)
def test_list_searches_and_filters(console: Client, query: dict[str, str], labels: set[str]) -> None:
    factories.issue(label="label-one")
    factories.expired(label="label-two", is_test=True, partner=factories.partner("Beta"))
    factories.revoked(label="label-three")
    assert shown(console.get(LIST, query)) == labels


def test_list_costs_the_same_for_many_keys(
    console: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        factories.issue(partner=factories.partner(f"Partner {number % 5}"))
    console.get(LIST)
    with django_assert_max_num_queries(12):
        console.get(LIST)


# --- revoke ---


def test_revoke_asks_before_it_acts_and_is_recorded(console: Client, operator: User) -> None:
    key, _ = factories.issue()
    url = f"{LIST}{key.pk}/revoke/"
    assert url in text(console.get(change(key)))
    question = text(console.get(url))
    assert "cannot be undone" in question
    assert key.prefix in question
    assert ApiKey.objects.get().state is State.ACTIVE
    response = console.post(url, {"confirmed": "yes"}, follow=True)
    key.refresh_from_db()
    assert (key.state, key.revoked_by) == (State.REVOKED, operator)
    assert "Revoked: 1." in text(response)
    assert LogEntry.objects.get().get_change_message() == "Revoked."


def test_revoke_needs_the_token_of_the_form(operator: User) -> None:
    key, _ = factories.issue()
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    url = f"{LIST}{key.pk}/revoke/"
    assert client.post(url, {"confirmed": "yes"}).status_code == 403
    assert ApiKey.objects.get().state is State.ACTIVE
    token = some(re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text(client.get(url))))[1]
    assert client.post(url, {"confirmed": "yes", "csrfmiddlewaretoken": token}).status_code == 302
    assert ApiKey.objects.get().state is State.REVOKED


def test_revoke_twice_says_so_and_keeps_the_first(console: Client) -> None:
    key, _ = factories.revoked()
    url = f"{LIST}{key.pk}/revoke/"
    assert url not in text(console.get(change(key)))
    response = console.post(url, {"confirmed": "yes"}, follow=True)
    assert "Had been revoked before: 1." in text(response)
    assert ApiKey.objects.get().revoked_at == key.revoked_at
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("object_id", ["999999", "x", "0"])
def test_revoke_of_no_key_is_not_found(console: Client, object_id: str) -> None:
    assert console.get(f"{LIST}{object_id}/revoke/").status_code == 404


def test_revoke_selected_asks_and_then_revokes_those(console: Client) -> None:
    one, two, three = (factories.issue(label=f"label-{word}")[0] for word in ("one", "two", "three"))
    lifecycle.revoke(two, factories.ACTOR)
    data = {"action": "revoke_selected", "_selected_action": [one.pk, two.pk]}
    question = text(console.post(LIST, data))
    assert one.prefix in question
    assert three.prefix not in question
    assert ApiKey.objects.get(pk=one.pk).state is State.ACTIVE
    response = console.post(LIST, {**data, "confirmed": "yes"}, follow=True)
    states = [ApiKey.objects.get(pk=key.pk).state for key in (one, two, three)]
    assert states == [State.REVOKED, State.REVOKED, State.ACTIVE]
    assert "Revoked: 1." in text(response)
    assert "Had been revoked before: 1." in text(response)


def test_confirmation_forms_lead_where_they_say(console: Client) -> None:
    key, _ = factories.issue()
    for page in (
        console.get(f"{LIST}{key.pk}/revoke/"),
        console.post(LIST, {"action": "revoke_selected", "_selected_action": [key.pk]}),
    ):
        form = some(re.search(r'<form method="post".*?</form>', text(page), re.DOTALL))[0]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        assert fields["confirmed"] == "yes"
        assert fields["_selected_action"] == str(key.pk)


# --- nobody deletes, nobody without rights acts ---


def test_key_cannot_be_deleted(console: Client) -> None:
    key, _ = factories.issue()
    assert console.post(f"{LIST}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    console.post(LIST, {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"})
    assert "delete" not in re.findall(r'<option value="(\w+)"', text(console.get(LIST)))
    assert f"{key.pk}/delete/" not in text(console.get(change(key)))
    assert ApiKey.objects.filter(pk=key.pk).exists()


def test_partner_with_keys_cannot_be_deleted_and_one_without_can(console: Client) -> None:
    key, _ = factories.issue()
    empty = factories.partner("Empty")
    page = f"/admin/keys/partner/{key.partner_id}"
    assert console.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [key.partner_id, empty.pk], "post": "yes"}
    console.post("/admin/keys/partner/", data)
    assert Partner.objects.count() == 2
    assert console.post(f"/admin/keys/partner/{empty.pk}/delete/", {"post": "yes"}).status_code == 302
    assert Partner.objects.get() == key.partner


def test_partner_list_counts_keys(console: Client) -> None:
    factories.issue(partner=factories.partner("Counted"))
    factories.revoked(partner=factories.partner("Counted"))
    page = text(console.get("/admin/keys/partner/"))
    row = some(re.search(r"<tr[^>]*>(?:(?!</tr>).)*Counted.*?</tr>", page, re.DOTALL))[0]
    assert re.search(r">\s*2\s*<", row)


@pytest.mark.parametrize("rights", [[], ["view_apikey"]])
def test_user_without_rights_gets_403(rights: list[str]) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    key, _ = factories.issue()
    assert client.get(LIST).status_code == (200 if rights else 403)
    assert client.get(ADD).status_code == 403
    assert issue(client).status_code == 403
    url = f"{LIST}{key.pk}/revoke/"
    assert client.get(url).status_code == 403
    assert client.post(url, {"confirmed": "yes"}).status_code == 403
    client.post(LIST, {"action": "revoke_selected", "_selected_action": [key.pk], "confirmed": "yes"})
    if rights:
        assert url not in text(client.get(change(key)))
        assert client.post(change(key), {"label": "mine"}).status_code == 403
    assert ApiKey.objects.get().state is State.ACTIVE
    assert ApiKey.objects.get().label == "backend"


def test_stranger_is_sent_to_the_login() -> None:
    key, _ = factories.issue()
    for page in (LIST, ADD, change(key), f"{LIST}{key.pk}/revoke/"):
        response = Client().get(page)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_right_to_issue_alone_shows_the_key_and_no_more() -> None:
    user = User.objects.create_user("issuer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_apikey", "view_partner"]))
    client = Client()
    client.force_login(user)
    assert RAW_KEY.search(text(issue(client)))
    assert client.get(change(ApiKey.objects.get())).status_code == 403


# --- the rest of the console ---


@pytest.mark.parametrize(
    "page", ["user/", "user/add/", "group/", "group/add/", "user/{pk}/change/", "user/{pk}/password/"]
)
def test_users_and_groups_have_pages_of_the_same_console(console: Client, operator: User, page: str) -> None:
    assert "unfold/" in text(console.get(f"/admin/auth/{page.format(pk=operator.pk)}"))
