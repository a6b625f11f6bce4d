"""The warnings: each when it should, not a moment before, on the console's pages and by the command."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from time_machine import TimeMachineFixture

from collect.storage import ingest
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Entry
from collect.storage.ledger.tally import shared as counts
from console import warnings
from keys import denials, lifecycle
from keys.history import Actor
from keys.models import ApiKey
from tests.harness import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW, tick=False)
    denials.shared._waiting.clear()


def texts() -> list[str]:
    return [warning.text for warning in warnings.find()]


def send(api_key: ApiKey, *ages: timedelta) -> None:
    for age in ages:
        ingest.submit([factories.arrival(factories.source(api_key, received_at=NOW - age))])
    entries.add(entries.total(counts.take()))


def hours(first: int, last: int) -> list[timedelta]:
    return [timedelta(hours=n, minutes=30) for n in range(first, last)]


def test_nothing_to_say() -> None:
    api_key, _ = factories.key()
    send(api_key, *hours(0, 30))
    assert texts() == []


@pytest.mark.parametrize(
    ("end", "word"), [({"revoke": True}, "revoked"), ({"expires_at": NOW - timedelta(hours=1)}, "expired")]
)
def test_ended_key_that_is_still_used(
    client: Client, time_machine: TimeMachineFixture, end: dict[str, Any], word: str
) -> None:
    api_key, raw_key = factories.key(expires_at=end.get("expires_at"))
    if end.get("revoke"):
        lifecycle.revoke(api_key, Actor("tests"))
    assert texts() == []
    answer = client.post("/api/collect", b"{}", "application/json", headers={"Authorization": f"Bearer {raw_key}"})
    assert answer.status_code == 401
    denials.write()
    assert texts() == [f"is {word} and still being used from 127.0.0.1, last seen 2026-11-24 12:30 UTC"]
    time_machine.move_to(NOW + timedelta(hours=25), tick=False)
    assert texts() == []


@pytest.mark.parametrize(("left", "warns"), [(timedelta(days=7), True), (timedelta(days=7, minutes=1), False)])
def test_key_that_expires_within_a_week(left: timedelta, warns: bool) -> None:
    factories.key(expires_at=NOW + left)
    assert texts() == (["expires at 2026-12-01 12:30 UTC"] if warns else [])


def test_live_key_unused_for_90_days(time_machine: TimeMachineFixture) -> None:
    long_ago = NOW - timedelta(days=90, minutes=1)
    used, never, test, fresh = (factories.key(is_test=is_test)[0] for is_test in (False, False, True, False))
    ApiKey.objects.filter(pk__in=[used.pk, never.pk, test.pk, fresh.pk]).update(created_at=long_ago)
    ApiKey.objects.filter(pk=used.pk).update(last_used_at=long_ago)
    ApiKey.objects.filter(pk=fresh.pk).update(last_used_at=NOW - timedelta(days=89))
    assert sorted(texts()) == [
        "has not been used since 2026-08-26",
        "has not been used since it was issued, 2026-08-26",
    ]


@pytest.mark.parametrize(
    ("ages", "warns"),
    [
        (hours(1, 25), True),
        (hours(0, 25), False),  # it still sends
        (hours(3, 27), True),  # and that was hours ago
        (hours(1, 12) + hours(13, 25), True),  # one hour without events is no other habit
        (hours(1, 25)[::2], False),  # it often has an hour without any
        (hours(1, 20), False),
        ([], False),
    ],
)
def test_partner_that_sent_every_hour_and_fell_silent(ages: list[timedelta], warns: bool) -> None:
    api_key, _ = factories.key()
    send(api_key, *ages)
    found = warnings.find()
    since = f"{NOW - min(ages, default=NOW - NOW):%Y-%m-%d %H:%M}"
    assert [warning.text for warning in found] == [f"silent since {since} UTC, and sent hour by hour before"] * warns
    assert all((warning.partner, warning.key) == (api_key.partner, None) for warning in found)


def test_test_events_are_no_sign_of_life_and_no_habit() -> None:
    owner = factories.partner()
    live, test = factories.key(owner)[0], factories.key(owner, is_test=True)[0]
    send(live, *hours(1, 25))
    send(test, timedelta(minutes=5))
    assert len(texts()) == 1
    other = factories.key(is_test=True)[0]
    send(other, *hours(1, 25))
    assert len(texts()) == 1


def test_number_of_queries_does_not_depend_on_anything(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for n in range(5):
        api_key, _ = factories.key(expires_at=NOW + timedelta(days=n + 1))
        send(api_key, *hours(1, 25))
    with django_assert_num_queries(7):
        assert len(warnings.find()) == 10


def test_pages_and_command_show_them(admin_client: Client, django_user_model: type[User]) -> None:
    api_key, _ = factories.key(factories.partner("<b>Acme</b>"), expires_at=timezone.now() + timedelta(days=1))
    for path in ("/admin/", "/admin/keys/apikey/"):
        page = admin_client.get(path).content.decode()
        assert "expires at 2026-11-25 12:30 UTC" in page, path
        assert "<b>Acme</b>" not in page
        assert f'href="/admin/keys/apikey/{api_key.pk}/change/"' in page
    out = StringIO()
    call_command("key_warnings", stdout=out)
    assert out.getvalue() == f"{api_key} of <b>Acme</b> expires at 2026-11-25 12:30 UTC\n"


def test_who_may_not_see_keys_sees_no_warnings(client: Client) -> None:
    factories.key(expires_at=timezone.now() + timedelta(days=1))
    user = User.objects.create_user("events", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_event"))
    client.force_login(user)
    assert "expires at" not in client.get("/admin/").content.decode()


def test_key_that_is_used_and_always_refused_is_named() -> None:
    in_vain, works = factories.key()[0], factories.key()[0]
    minute = timezone.now().replace(second=0, microsecond=0)
    counted = {(in_vain, "received"): 17, (in_vain, "rejected"): 17, (works, "stored"): 1, (works, "rejected"): 16}
    entries.add(
        {
            Entry(minute, key.partner_id, key.pk, False, "collect", outcome): Amount(events)
            for (key, outcome), events in counted.items()
        }
    )
    found = {warning.key: warning.text for warning in warnings.find() if "refused" in warning.text}
    assert found == {in_vain: "is used and always refused: all 17 events of the last day"}


def test_command_lets_no_control_character_through() -> None:
    partner = factories.partner("A\x1b[31mcme")
    factories.issue(partner=partner, label="x\u202ey", expires_at=NOW + timedelta(days=1))
    out = StringIO()
    call_command("key_warnings", stdout=out)
    assert "(x\\u202ey) of A\\x1b[31mcme expires at" in out.getvalue()
