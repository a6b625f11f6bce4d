"""keys.management.commands: what reaches standard output and what does not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from keys import crypto
from keys.models import ApiKey, Partner, State
from tests.harness import factories
from tests.harness.commands import run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("options", "is_test"), [((), False), (("--test",), True)])
def test_issue_key_prints_the_raw_key_alone(options: tuple[str, ...], is_test: bool) -> None:
    stdout, stderr = run("issue_key", "--partner", "Acme", "--label", "backend", *options)
    raw_key = stdout.removesuffix("\n")
    key = ApiKey.objects.get(prefix=crypto.parse(raw_key))
    assert crypto.matches(raw_key, key.digest)
    assert (key.partner.name, key.label, key.is_test, key.state) == ("Acme", "backend", is_test, State.ACTIVE)
    assert key.prefix in stderr
    assert raw_key not in stderr


def test_issue_key_uses_the_partner_that_there_is() -> None:
    run("issue_key", "--partner", "Acme", "--label", "one")
    _, stderr = run("issue_key", "--partner", " Acme ", "--label", "two")
    assert "new partner" not in stderr
    assert Partner.objects.get().keys.count() == 2


@pytest.mark.parametrize(
    ("partner", "label", "told"),
    [
        (" ", "x", "name: "),
        ("Acme", " ", "label: "),
        ("a" * 256, "x", "name: "),
        ("Acme", "a" * 256, "label: "),
    ],
)
def test_issue_key_refuses_names_that_the_table_would_not_hold(partner: str, label: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        run("issue_key", "--partner", partner, "--label", label)
    assert not ApiKey.objects.exists()
    assert not Partner.objects.exists()


@pytest.mark.parametrize("name", ["dmeo", "Demos", "d emo"])
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_issue_key_for_a_name_that_comes_near_makes_nobody_by_a_slip(name: str, options: tuple[str, ...]) -> None:
    factories.partner("demo")
    arguments = ("issue_key", "--partner", name, "--label", "x", *options)
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert str(refused.value) == (
        f"There is no partner {name!r}. Did you mean 'demo'? --create-partner makes a new one."
    )
    assert (Partner.objects.count(), ApiKey.objects.count()) == (1, 0)
    assert f"for the new partner {name}" in run(*arguments, "--create-partner")[1]
    assert f"partner {name}" in run(*arguments[:5], "--create-partner")[1]
    assert "new partner" not in run(*arguments)[1]


def test_issue_key_for_another_name_makes_its_partner() -> None:
    factories.partner("demo")
    assert "for the new partner acme" in run("issue_key", "--partner", "acme", "--label", "x")[1]


@pytest.mark.parametrize("name", ["dem\u200bo", "\u202edemo", "demo\ufeff", "DEMO"])
def test_name_that_only_looks_like_another_is_nobodys(name: str) -> None:
    factories.partner("demo")
    with pytest.raises(CommandError, match="There is a partner 'demo': names must differ by more than case"):
        run("issue_key", "--partner", name, "--label", "x", "--create-partner")


def test_issue_key_dry_run_leaves_nothing() -> None:
    stdout, stderr = run("issue_key", "--partner", "Acme", "--label", "x", "--dry-run")
    assert stdout == ""
    assert "Would issue a live key for the new partner Acme" in stderr
    assert not ApiKey.objects.exists()
    assert not Partner.objects.exists()


def test_revoke_key_takes_the_prefix() -> None:
    key, _ = factories.issue()
    stdout, _ = run("revoke_key", key.prefix)
    key.refresh_from_db()
    assert key.state is State.REVOKED
    assert key.revoked_by is None
    assert stdout.startswith(f"Revoked {key.prefix}")


@pytest.mark.parametrize("form", ["{}", "Bearer {}", " {}\n", '"{}"'])
@pytest.mark.parametrize("damage", [lambda raw: raw, lambda raw: raw[:-1], lambda raw: raw[:30], lambda raw: raw + "x"])
@pytest.mark.parametrize("command", ["revoke_key", "key_history", "restrict_key", "rotate_key"])
def test_whole_key_is_found_by_its_prefix_and_not_repeated(
    command: str, form: str, damage: Callable[[str], str]
) -> None:
    key, raw_key = factories.issue()
    given = damage(raw_key)
    stdout, stderr = run(command, form.format(given))
    assert key.prefix in stdout + stderr
    assert given.removeprefix(f"{key.prefix}_") not in stdout + stderr
    assert "rotate or revoke it" in stderr
    assert (ApiKey.objects.get(pk=key.pk).state is State.REVOKED) is (command == "revoke_key")


def test_prefix_alone_warns_of_nothing() -> None:
    key, _ = factories.issue()
    assert "rotate" not in "".join(run("restrict_key", f" {key.prefix} "))


def test_revoke_key_twice_keeps_the_first_moment() -> None:
    key, _ = factories.revoked()
    stdout, _ = run("revoke_key", key.prefix)
    assert "had been revoked before" in stdout
    assert ApiKey.objects.get(pk=key.pk).revoked_at == key.revoked_at


@pytest.mark.parametrize("prefix", ["", "thrad_live_nobody", "thrad_live", "\udcff", "thrad_live_\udcff", "x" * 9_999])
def test_revoke_key_refuses_what_is_no_prefix(prefix: str) -> None:
    factories.issue()
    with pytest.raises(CommandError, match="no key with this prefix"):
        run("revoke_key", prefix)
    assert not ApiKey.objects.in_state(State.REVOKED).exists()


def test_revoke_key_refuses_an_unknown_raw_key_and_repeats_its_prefix_alone() -> None:
    raw_key = factories.unknown()
    with pytest.raises(CommandError) as caught:
        run("revoke_key", raw_key)
    assert raw_key[24:] not in str(caught.value)
    assert crypto.prefix_of(raw_key) in str(caught.value)


def test_revoke_key_dry_run_changes_nothing() -> None:
    key, _ = factories.issue()
    stdout, _ = run("revoke_key", key.prefix, "--dry-run")
    assert "Would revoke" in stdout
    assert ApiKey.objects.get(pk=key.pk).state is State.ACTIVE


def test_list_keys_is_a_table_without_secrets() -> None:
    beta = factories.partner("Beta")
    _, live_raw = factories.issue(label="shop", expires_at=timezone.now() + timedelta(days=1))
    factories.revoked(partner=beta, is_test=True, label="a longer label")
    factories.expired(partner=beta, label="old")
    stdout, _ = run("list_keys")
    heading, *lines = stdout.splitlines()
    assert heading.split() == [
        "PARTNER",
        "PREFIX",
        "LABEL",
        "KIND",
        "STATE",
        "CREATED",
        "EXPIRES",
        "LAST",
        "USED",
    ]
    assert [line.split()[0] for line in lines] == ["Acme", "Beta", "Beta"]
    assert {line[heading.index("KIND") :].split()[0] for line in lines} == {"live", "test"}
    assert [line[heading.index("STATE") :].split()[0] for line in lines] == ["expiring", "revoked", "expired"]
    assert live_raw[24:] not in stdout
    assert not any(digest in stdout for digest in ApiKey.objects.values_list("digest", flat=True))


def test_list_keys_lets_no_control_character_through() -> None:
    factories.issue(label="\x1b[31mred\u202e")
    stdout, _ = run("list_keys")
    assert "\\x1b[31mred\\u202e" in stdout
    assert "\x1b" not in stdout


def test_capture_requests_orders_and_stops() -> None:
    key, _ = factories.issue()
    said, _ = run("capture_requests", key.prefix, "--requests", "5")
    assert f"The next 5 requests of {key.prefix}" in said
    assert ApiKey.objects.get().capture_left == 5
    assert "Would stop" in run("capture_requests", key.prefix, "--stop", "--dry-run")[0]
    assert ApiKey.objects.get().capture_left == 5
    assert "Nothing more is kept" in run("capture_requests", key.prefix, "--stop")[0]
    assert "Nothing was being kept" in run("capture_requests", key.prefix, "--stop")[0]
    assert ApiKey.objects.get().capture_left == 0


@pytest.mark.parametrize("number", ["0", "101"])
def test_capture_requests_refuses_a_number_out_of_bounds(number: str) -> None:
    key, _ = factories.issue()
    with pytest.raises(CommandError, match="1 to 100"):
        run("capture_requests", key.prefix, "--requests", number)
    assert ApiKey.objects.get().capture_left == 0


def test_no_command_lets_a_control_character_through() -> None:
    key, _ = factories.issue(partner=factories.partner("A\x1b[31mcme"), label="x\u202ey")
    for command in (
        ("capture_requests", key.prefix, "--requests", "3", "--dry-run"),
        ("capture_requests", key.prefix, "--requests", "3"),
        ("capture_requests", key.prefix, "--stop"),
        ("restrict_key", key.prefix, "--per-day", "9", "--dry-run"),
        ("restrict_key", key.prefix, "--per-day", "9"),
        ("rotate_key", key.prefix, "--dry-run"),
        ("issue_key", "--partner", key.partner.name, "--label", "z", "--dry-run"),
        ("revoke_key", key.prefix, "--dry-run"),
        ("revoke_key", key.prefix),
        ("revoke_key", key.prefix),
        ("key_history", key.prefix),
    ):
        told = "".join(run(*command))
        assert "A\\x1b[31mcme" in told, command
        assert "\x1b" not in told, command
        assert "\u202e" not in told, command
