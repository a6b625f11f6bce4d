"""Rotation: by the page and by the command, with the old key's grace, its use, and both ways out of it."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone
from time_machine import TimeMachineFixture

from collect.models import Event
from keys import crypto, lifecycle
from keys.models import ApiKey, KeyChange, State
from tests.harness import factories
from tests.harness.commands import run
from tests.harness.values import some

pytestmark = pytest.mark.django_db

RAW_KEY = re.compile(r"thrad_(?:live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


@pytest.fixture
def console() -> Client:
    User.objects.create_superuser("operator", password="secret")
    client = Client()
    assert client.login(username="operator", password="secret")
    return client


def page(key: ApiKey) -> str:
    return step(key, "change")


def step(key: ApiKey, name: str) -> str:
    return f"/admin/keys/apikey/{key.pk}/{name}/"


def words(response: Any) -> str:
    """The text of a page, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


def send(raw_key: str, **headers: str) -> Any:
    headers = {"Authorization": f"Bearer {raw_key}", **headers}
    body = json.dumps({"event_name": "custom"})
    return Client(headers=headers).post("/api/collect", body, content_type="application/json")


@pytest.mark.parametrize(
    ("grace", "minutes"), [("0", 0), ("30", 30), ("1440", 24 * 60), ("10080", 7 * 24 * 60), ("date", 3 * 24 * 60)]
)
def test_page_shows_the_new_key_once_and_the_old_one_works_for_its_grace(
    console: Client, time_machine: TimeMachineFixture, grace: str, minutes: int
) -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    time_machine.move_to(now, tick=False)
    old, old_raw = factories.issue(tags=["adv_*"], networks=["127.0.0.0/8"], label="shop")
    until = now + timedelta(days=3)
    date = {"until_0": f"{until:%Y-%m-%d}", "until_1": f"{until:%H:%M:%S}"} if grace == "date" else {}
    response = console.post(step(old, "rotate"), {"grace": grace, **date}, follow=True)
    raw_key = some(RAW_KEY.search(response.content.decode()))[0]
    assert "no-store" in response["Cache-Control"]
    new = ApiKey.objects.get(prefix=crypto.parse(raw_key))
    old.refresh_from_db()
    assert old.expires_at == now + timedelta(minutes=minutes)
    assert (new.replaces, new.label, new.tags, new.networks) == (old, "shop", ["adv_*"], ["127.0.0.0/8"])
    assert (new.partner, new.expires_at) == (old.partner, None)
    assert raw_key not in console.get(page(new)).content.decode()
    time_machine.move_to(old.expires_at - timedelta(seconds=1), tick=False)
    statuses = [send(old_raw).status_code if minutes else 403, send(raw_key).status_code]
    assert statuses == [403, 403]  # known, and limited to other tags than `site:unknown`
    time_machine.move_to(old.expires_at, tick=False)
    assert (send(old_raw).status_code, send(raw_key).status_code) == (401, 403)


@pytest.mark.parametrize("date", [{}, {"until_0": "2020-01-01", "until_1": "00:00"}])
def test_page_asks_for_a_date_that_is_still_to_come(console: Client, date: dict[str, str]) -> None:
    key, _ = factories.issue()
    response = console.post(step(key, "rotate"), {"grace": "date", **date})
    assert "Choose a moment that is still to come." in response.content.decode()
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("make", [factories.expired, factories.revoked])
def test_key_that_has_ended_is_not_rotated(console: Client, make: Callable[[], tuple[ApiKey, str]]) -> None:
    key, _ = make()
    assert step(key, "rotate") not in console.get(page(key)).content.decode()
    response = console.post(step(key, "rotate"), {"grace": "0"}, follow=True)
    assert "issue a new key instead" in response.content.decode()
    with pytest.raises(CommandError, match="issue a new key instead"):
        run("rotate_key", key.prefix)
    assert ApiKey.objects.count() == 1


def test_rotation_lets_no_key_live_longer_than_it_would_have(console: Client) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    key, _ = factories.issue(expires_at=soon)
    console.post(step(key, "rotate"), {"grace": "10080"})
    key.refresh_from_db()
    assert key.expires_at == soon


def test_command_prints_the_new_key_alone_and_says_the_rest_elsewhere() -> None:
    old, _ = factories.issue()
    before = timezone.now()
    stdout, stderr = run("rotate_key", old.prefix, "--grace", "30m")
    raw_key = stdout.removesuffix("\n")
    new = ApiKey.objects.get(prefix=crypto.parse(raw_key))
    old.refresh_from_db()
    assert new.replaces == old
    assert timedelta(minutes=30) <= some(old.expires_at) - before < timedelta(minutes=31)
    assert (old.prefix in stderr, new.prefix in stderr, raw_key in stderr) == (True, True, False)


def test_command_dry_run_changes_nothing() -> None:
    old, _ = factories.issue()
    stdout, stderr = run("rotate_key", old.prefix, "--dry-run")
    assert (stdout, "Would replace" in stderr) == ("", True)
    assert ApiKey.objects.get().expires_at is None


@pytest.mark.parametrize("grace", ["30", "-5m", "m", "1y", "1.5h"])
def test_command_refuses_what_is_no_time(grace: str) -> None:
    key, _ = factories.issue()
    with pytest.raises(CommandError, match="not a duration"):
        run("rotate_key", key.prefix, f"--grace={grace}")
    assert ApiKey.objects.count() == 1


def test_page_shows_who_still_uses_the_old_key(console: Client, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to("2026-11-24T10:00:00Z", tick=False)
    old, old_raw = factories.issue()
    new, _ = lifecycle.rotate(old, factories.ACTOR, timezone.now() + timedelta(minutes=90))
    for n in range(3):
        assert send(old_raw).status_code == 204, n
    Event.objects.filter(pk=some(Event.objects.first()).pk).update(ip_address="203.0.113.9")
    time_machine.move_to("2026-11-24T10:10:00Z", tick=False)
    text = words(console.get(page(new)))
    assert f"the key before it, {old.prefix} expiring never 3 127.0.0.1 (2), 203.0.113.9 (1) 80 " in text
    # An hour later nobody does.
    time_machine.move_to("2026-11-24T11:05:00Z", tick=False)
    assert f"{old.prefix} expiring never 0 - 25 " in words(console.get(page(new)))


def test_one_click_extends_or_ends_the_old_key(console: Client) -> None:
    old, old_raw = factories.issue()
    new, _ = lifecycle.rotate(old, factories.ACTOR, timezone.now() + timedelta(minutes=5))
    html = console.get(page(new)).content.decode()
    extend, end = f'action="{step(old, "extend")}"', f'action="{step(old, "revoke")}"'
    assert extend in html
    assert end in html
    before = timezone.now()
    console.post(step(old, "extend"))
    old.refresh_from_db()
    assert timedelta(hours=24) <= some(old.expires_at) - before < timedelta(hours=25)
    console.post(step(old, "revoke"))
    old.refresh_from_db()
    assert old.state is State.REVOKED
    assert send(old_raw).status_code == 401
    assert extend not in console.get(page(new)).content.decode()
    assert "cannot be brought back" in console.post(step(old, "extend"), follow=True).content.decode()


def test_get_changes_nothing(console: Client) -> None:
    key, _ = factories.issue(expires_at=timezone.now() + timedelta(hours=1))
    for name in ("rotate", "extend", "revoke"):
        assert console.get(step(key, name)).status_code == 200
    assert [change.what for change in KeyChange.objects.all()] == ["issued"]
    assert ApiKey.objects.get().expires_at == key.expires_at


@pytest.mark.parametrize(
    ("rights", "allowed"),
    [
        (["view_apikey"], set()),
        (["view_apikey", "add_apikey"], set()),
        (["view_apikey", "change_apikey"], {"extend"}),
        (["view_apikey", "add_apikey", "change_apikey"], {"rotate", "extend"}),
        (["view_apikey", "revoke_apikey"], {"revoke"}),
    ],
)
def test_each_step_has_its_permission(rights: list[str], allowed: set[str]) -> None:
    user = User.objects.create_user("half", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    for name in ("rotate", "extend", "revoke"):
        key, _ = factories.issue(expires_at=timezone.now() + timedelta(hours=1), label=name)
        before = KeyChange.objects.count()
        status = client.post(step(key, name), {"grace": "0"}).status_code
        assert (status != 403) is (name in allowed), name
        assert (KeyChange.objects.count() > before) is (name in allowed), name


@pytest.mark.parametrize("make", [factories.expired, factories.revoked])
def test_key_that_has_ended_is_not_brought_back_by_its_form(
    console: Client, make: Callable[[], tuple[ApiKey, str]]
) -> None:
    key, raw_key = make()
    before = key.expires_at
    later = {"expires_at_0": "2099-01-01", "expires_at_1": "00:00:00", "label": "renamed", "per_second": "5"}
    assert console.post(page(key), later).status_code == 302
    key.refresh_from_db()
    assert (key.label, key.expires_at, key.per_second) == ("renamed", before, None)
    assert send(raw_key).status_code == 401
