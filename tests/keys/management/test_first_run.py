"""keys.management.commands.first_run: once, whole, and only on a server that nobody has used."""

from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from pytest_django import Settings

from keys import crypto
from keys.management.commands import first_run
from keys.models import ApiKey, Partner
from tests.harness.first_words import read

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOST", raising=False)
    monkeypatch.delenv("PORT", raising=False)


def run() -> str:
    stdout = StringIO()
    call_command("first_run", stdout=stdout)
    return stdout.getvalue()


def test_first_run_makes_a_live_key_and_an_admin() -> None:
    words = read(run())
    key = ApiKey.objects.get()
    assert crypto.matches(words.raw_key, key.digest)
    assert (key.partner.name, key.is_test, key.state) == ("demo", False, "active")
    user = authenticate(username="admin", password=words.password)
    assert user == get_user_model().objects.get()
    assert user.is_superuser
    assert user.is_staff


def test_first_run_again_says_where_the_server_is_and_no_secret() -> None:
    words = read(run())
    again = run()
    assert "http://127.0.0.1:8000/admin/" in again
    assert "http://127.0.0.1:8000/api/docs" in again
    assert words.raw_key not in again
    assert "password" not in again
    assert ApiKey.objects.count() == get_user_model().objects.count() == 1


def test_first_run_leaves_a_used_server_alone() -> None:
    Partner.objects.create(name="somebody")
    assert "thrad_live_" not in run()
    assert not get_user_model().objects.exists()


def test_first_run_leaves_a_server_with_a_user_alone() -> None:
    get_user_model().objects.create_user("somebody")
    assert "thrad_live_" not in run()
    assert not Partner.objects.exists()


def test_first_run_that_comes_second_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have seen an untouched server; the other one has committed since."""
    monkeypatch.setattr(first_run, "_is_untouched", lambda: True)
    Partner.objects.create(name="demo")
    assert "thrad_live_" not in run()
    assert not get_user_model().objects.exists()
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:9000"),  # noqa: S104  # what a person may set
        ("::", "http://[::1]:9000"),
        ("::1", "http://[::1]:9000"),
        ("events.local", "http://events.local:9000"),
    ],
)
def test_first_run_shows_an_address_that_a_client_can_use(settings: Settings, host: str, address: str) -> None:
    settings.HOST, settings.PORT = host, 9000
    assert f"curl -i -X POST {address}/api/collect" in run()
