"""A raw key is shown once, on a page of its own: loading it again neither issues a key nor shows one."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from keys import crypto
from keys.models import ApiKey
from tests.console.key_pages import ADD, LIST, RAW_KEY, database_contains, issue, raw_key_of, text
from tests.harness import factories
from tests.harness.values import some

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.keys.urls")]


def post_only(console: Client) -> Any:
    """The answer to the form itself, not followed."""
    fields = {"partner": factories.partner("Acme").pk, "label": "backend", "expires_at_0": "", "expires_at_1": ""}
    return console.post(ADD, fields)


def halves(console: Client) -> tuple[bytes, bytes]:
    """What the session and the cookie hold of the key on its way."""
    data = next(session.get_decoded() for session in Session.objects.all())
    (session_half,) = [value for name, value in data.items() if name.startswith("issued_key")]
    return bytes.fromhex(session_half), bytes.fromhex(console.cookies["issued_key"].value)


def test_loading_the_page_again_issues_nothing_and_shows_nothing(console: Client) -> None:
    shown = issue(console)
    address = shown.redirect_chain[-1][0]
    assert address == f"{LIST}{ApiKey.objects.get().pk}/issued/"
    assert RAW_KEY.search(text(shown))
    for _ in range(2):
        again = text(console.get(address))
        assert not RAW_KEY.search(again)
        assert "has been shown once" in again
    assert ApiKey.objects.count() == 1


def test_rotation_shows_its_key_in_the_same_way(console: Client) -> None:
    old, _ = factories.issue()
    answer = console.post(f"{LIST}{old.pk}/rotate/", {"grace": "30", "until_0": "", "until_1": ""})
    new = ApiKey.objects.exclude(pk=old.pk).get()
    assert answer.headers["Location"] == f"{LIST}{new.pk}/issued/"
    raw_key = raw_key_of(console.get(answer.headers["Location"]))
    assert crypto.matches(raw_key, new.digest)
    assert not RAW_KEY.search(text(console.get(answer.headers["Location"])))
    assert ApiKey.objects.count() == 2


def test_neither_the_database_nor_the_browser_alone_has_the_key_on_its_way(console: Client) -> None:
    answer = post_only(console)
    key = ApiKey.objects.get()
    assert answer.status_code == 302
    assert answer.content == b""
    assert not RAW_KEY.search(repr(answer.headers) + repr(console.cookies))
    assert set(database_contains(key.prefix)) == {"keys_apikey", "django_admin_log"}
    one, other = halves(console)
    assert b"thrad" not in one + other
    assert crypto.matches(bytes(a ^ b for a, b in zip(one, other, strict=True)).decode(), key.digest)


def test_two_keys_share_no_half(console: Client) -> None:
    post_only(console)
    first = halves(console)
    Session.objects.all().delete()
    console.force_login(User.objects.get())
    post_only(console)
    assert not set(first) & set(halves(console))


def test_half_in_the_browser_is_for_that_page_alone_and_for_no_script(console: Client) -> None:
    cookie = post_only(console).cookies["issued_key"]
    assert cookie["path"] == f"{LIST}{ApiKey.objects.get().pk}/issued/"
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Strict", 300)
    assert bool(cookie["secure"]) is settings.SESSION_COOKIE_SECURE


def test_shown_key_leaves_nothing_behind(console: Client) -> None:
    shown = issue(console)
    assert shown.cookies["issued_key"].value == ""
    assert shown.cookies["issued_key"]["max-age"] == 0
    assert "no-store" in shown.headers["Cache-Control"]
    assert not any("issued_key" in repr(session.get_decoded()) for session in Session.objects.all())


@pytest.mark.parametrize("cookie", [None, "", "00", "zz", "ff" * 73, "\u00e9"])
def test_without_the_right_half_there_is_no_key(console: Client, cookie: str | None) -> None:
    address = post_only(console).headers["Location"]
    del console.cookies["issued_key"]
    if cookie is not None:
        console.cookies["issued_key"] = cookie
    assert not RAW_KEY.search(text(console.get(address)))


def test_another_user_with_the_cookie_sees_no_key(console: Client) -> None:
    address = post_only(console).headers["Location"]
    other = Client()
    other.force_login(User.objects.create_superuser("other"))
    other.cookies["issued_key"] = console.cookies["issued_key"].value
    assert not RAW_KEY.search(text(other.get(address)))


def test_page_is_for_those_who_issue(console: Client) -> None:
    key, _ = factories.issue()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client = Client()
    assert client.get(f"{LIST}{key.pk}/issued/").headers["Location"].startswith("/admin/login/")
    client.force_login(viewer)
    assert client.get(f"{LIST}{key.pk}/issued/").status_code == 403
    assert console.get(f"{LIST}999999/issued/").status_code == 404


def test_key_that_waits_is_found_by_any_worker(console: Client) -> None:
    """The session is a row of the database: what another process reads is what this one wrote."""
    address = post_only(console).headers["Location"]
    other = Client()
    other.cookies = console.cookies
    assert Session.objects.filter(expire_date__gt=timezone.now()).count() == 1
    assert crypto.matches(raw_key_of(other.get(address)), ApiKey.objects.get().digest)
    assert "locmem" not in settings.SESSION_ENGINE
    assert some(re.search(r"\.db$", settings.SESSION_ENGINE))
