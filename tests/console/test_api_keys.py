"""The pages of keys: issue and revoke through the real pages."""

import html
import re
import shlex
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from keys import crypto, lifecycle
from keys.models import ApiKey, State
from tests.console.key_pages import ADD, LIST, RAW_KEY, change, database_contains, issue, raw_key_of, text
from tests.harness import factories
from tests.harness.values import some

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.keys.urls")]


# --- issue ---
def test_issue_shows_the_key_once_and_never_again(console: Client) -> None:
    response = issue(console)
    raw_key = raw_key_of(response)
    key = ApiKey.objects.get()
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    assert crypto.matches(raw_key, key.digest)
    for page in (LIST, change(key), f"{LIST}{key.pk}/history/", "/admin/", ADD, "/admin/keys/partner/"):
        body = text(console.get(page, follow=True))
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
