"""The history of a key: who did what, when, from where; append-only, and bounded where strangers write."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from time_machine import TimeMachineFixture

from keys import crypto, denials, history, lifecycle
from keys.models import ApiKey, KeyChange
from tests.harness import factories
from tests.harness.commands import run
from tests.harness.values import some

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_waits() -> None:
    denials.shared._waiting.clear()


def lines(key: ApiKey) -> list[tuple[str, str, str | None]]:
    changes = key.history.order_by("id")
    return [(change.what, change.by_name, change.address) for change in changes]


def test_console_writes_the_user_and_the_address() -> None:
    user = User.objects.create_superuser("olga", password="secret")
    client = Client(REMOTE_ADDR="198.51.100.7")
    assert client.login(username="olga", password="secret")
    key, _ = factories.issue()
    page = f"/admin/keys/apikey/{key.pk}"
    client.post(f"{page}/rotate/", {"grace": "30"})
    client.post(f"{page}/extend/")
    client.post(f"{page}/revoke/")
    told = [(what, "olga", "198.51.100.7") for what in ("rotated", "changed", "revoked")]
    assert lines(key) == [("issued", "tests", None), *told]
    text = client.get(f"{page}/change/").content.decode()
    assert text.count("198.51.100.7") == 3
    user.delete()
    assert lines(key)[1:] == told
    assert {change.by for change in key.history.all()} == {None}


def test_commands_write_who_ran_them() -> None:
    raw_key, _ = run("issue_key", "--partner", "Acme", "--label", "x")
    prefix = raw_key.strip().rpartition("_")[0]
    run("restrict_key", prefix, "--tag", "a")
    run("rotate_key", prefix, "--grace", "1h")
    run("revoke_key", prefix)
    key = some(KeyChange.objects.first()).key
    assert [what for what, _, _ in lines(key)] == ["issued", "restricted", "rotated", "revoked"]
    assert {who for _, who, _ in lines(key)} == {history.command().name}
    out, _ = run("key_history", prefix)
    heading, *told = out.splitlines()
    assert heading == f"{key} of Acme, revoked"
    assert [line.split("  ")[1].split()[0] for line in told] == ["revoked", "rotated", "restricted", "issued"]


def test_what_does_not_change_is_not_written() -> None:
    key, _ = factories.issue()
    lifecycle.change(key, factories.ACTOR)
    lifecycle.revoke(key, factories.ACTOR)
    lifecycle.revoke(key, factories.ACTOR)
    assert [what for what, _, _ in lines(key)] == ["issued", "revoked"]


def test_history_cannot_be_changed_or_deleted() -> None:
    key, _ = factories.issue()
    change = key.history.get()
    change.detail = "something else"
    for spoil in (
        change.save,
        change.delete,
        key.history.all().delete,
        KeyChange.objects.all().delete,
        lambda: KeyChange.objects.update(detail=""),
    ):
        with pytest.raises(TypeError, match="append-only"):
            spoil()
    assert key.history.get().detail == ""


def test_console_shows_history_and_edits_none_of_it(admin_client: Client) -> None:
    key, _ = factories.issue()
    listing = admin_client.get("/admin/keys/keychange/")
    assert key.prefix in listing.content.decode()
    pk = key.history.get().pk
    for path in ("add/", f"{pk}/delete/"):
        assert admin_client.get(f"/admin/keys/keychange/{path}").status_code == 403
    assert admin_client.post(f"/admin/keys/keychange/{pk}/change/", {"detail": "x"}).status_code == 403


def test_long_history_goes_on_elsewhere(admin_client: Client) -> None:
    key, _ = factories.issue()
    for n in range(25):
        history.record(key, KeyChange.What.CHANGED, factories.ACTOR, f"step {n}")
    text = admin_client.get(f"/admin/keys/apikey/{key.pk}/change/").content.decode()
    assert ("step 24" in text, "step 4" in text.replace("step 24", "")) == (True, False)
    rest = f"/admin/keys/keychange/?q={key.prefix}"
    assert rest in text
    assert "step 4" in admin_client.get(rest).content.decode()


def test_expiry_is_written_once_at_its_moment() -> None:
    key, _ = factories.expired()
    factories.revoked(expires_at=timezone.now() - timedelta(hours=1))
    factories.issue(expires_at=timezone.now() + timedelta(hours=1))
    history.note_expired()
    history.note_expired()
    change = KeyChange.objects.get(what="expired")
    assert (change.key, change.at, change.by_name) == (key, key.expires_at, "server")


def test_key_that_expires_again_is_written_again(time_machine: TimeMachineFixture) -> None:
    key, _ = factories.issue(expires_at=timezone.now() + timedelta(hours=1))
    lifecycle.extend(key, factories.ACTOR, timedelta(hours=2))
    time_machine.move_to(timezone.now() + timedelta(hours=3))
    history.note_expired()
    assert KeyChange.objects.get(what="expired").at == key.expires_at


@pytest.mark.parametrize("make", [factories.expired, factories.revoked])
def test_use_of_an_ended_key_is_written_once_an_hour(
    client: Client, time_machine: TimeMachineFixture, make: Callable[[], tuple[ApiKey, str]]
) -> None:
    key, raw_key = make()
    for _ in range(3):
        answer = client.post("/api/collect", b"{}", "application/json", headers={"Authorization": f"Bearer {raw_key}"})
        assert answer.status_code == 401
        denials.write()
    assert lines(key)[-1] == ("refused", "sender", "127.0.0.1")
    assert key.history.filter(what="refused").count() == 1
    assert key.history.get(what="refused").detail == key.state
    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    client.post("/api/collect", b"{}", "application/json", headers={"Authorization": f"Bearer {raw_key}"})
    denials.write()
    assert key.history.filter(what="refused").count() == 2


@pytest.mark.parametrize("detail", ["rate limited", "network not allowed"])
def test_denial_of_an_active_key_is_not_said_to_follow_its_end(admin_client: Client, detail: str) -> None:
    key, _ = factories.issue()
    denials.mark(key, detail, "203.0.113.9")
    denials.write()
    line = key.history.get(what="refused").pk
    for page in (f"apikey/{key.pk}/change/", "keychange/", "keychange/?what=refused", f"keychange/{line}/change/"):
        text = admin_client.get(f"/admin/keys/{page}").content.decode()
        assert detail in text
        assert "refused" in text.lower()
        assert "after its end" not in text


def test_stranger_with_the_prefix_alone_writes_nothing(client: Client) -> None:
    key, raw_key = factories.revoked()
    forged = crypto.make(is_test=False)
    body = f"{key.prefix}_{forged.rpartition('_')[2][:43]}"
    misspelt = raw_key[:-1] + ("y" if raw_key.endswith("x") else "x")
    for token in (body + crypto._crc(body), misspelt, key.prefix):
        client.post("/api/collect", b"{}", "application/json", headers={"Authorization": f"Bearer {token}"})
    denials.write()
    assert not KeyChange.objects.filter(what="refused").exists()


def test_no_more_wait_than_there_is_room_for() -> None:
    few = denials.Denials(capacity=2)
    for _ in range(4):
        key, _ = factories.revoked()
        few.mark(key, "revoked", None)
    few.write()
    assert KeyChange.objects.filter(what="refused").count() == 2
    few.mark(key, "revoked", None)
    few.write()
    assert KeyChange.objects.filter(what="refused").count() == 3
