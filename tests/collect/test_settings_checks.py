"""System checks of settings: each slip is named, with what was probably meant; what is right is let be."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from collect import settings_checks as checks
from runtime import env_file

pytestmark = pytest.mark.once


def told(found: Sequence[CheckMessage]) -> str:
    """All that is told, with its hints."""
    return " ".join(f"{message.id} {message.msg} {message.hint}" for message in found)


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("*", "0.0.0.0/0,::/0"),
        ("proxy.internal", "names are not looked up"),
        ("localhost", "names are not looked up"),
        ("10.0.0.0/33", "CIDRs"),
        ("10.0.0/8", "CIDRs"),
        ("10.0.0.1:80", "CIDRs"),
        ("http://10.0.0.1", "CIDRs"),
        ("10.0.0.1-10.0.0.9", "CIDRs"),
        ("none", "CIDRs"),
    ],
)
@pytest.mark.parametrize("name", ["TRUSTED_PROXIES", "METRICS_ALLOW"])
def test_entry_that_is_no_network_is_named(settings: Settings, name: str, entry: str, hint: str) -> None:
    setattr(settings, name, ["10.0.0.0/8", entry, "fd00::/8", "192.0.2.7", "10.1.2.3/8"])
    (error,) = checks.networks()
    assert (error.id, error.msg) == ("collect.E001", f"{name}: {entry!r} is not a network")
    assert hint in (error.hint or "")


def test_proxies_that_are_everybody_are_a_warning_of_the_deployment(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "0.0.0.0/0", "::/0"]
    assert [warning.id for warning in checks.trusted_networks()] == ["settings.W002"] * 2
    assert checks.networks() == []
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert checks.trusted_networks() == []


@pytest.mark.parametrize(
    "entry", ["localhost", "127.0.0.1", "[::1]", "*", ".example.com", "Events.Example.com", "web_1", "xn--bcher-kva.de"]
)
def test_host_that_can_match_is_let_be(settings: Settings, entry: str) -> None:
    settings.ALLOWED_HOSTS = [entry]
    assert checks.hosts() == []


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("https://events.example.com", "the name alone"),
        ("events.example.com:8000", "the name alone"),
        ("events.example.com/", "the name alone"),
        ("events.example.com.", "the name alone"),
        ("*.example.com", "Write .example.com"),
        ("::1", "[::1]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("events..example.com", "the name alone"),
        ("ü" * 70, "the name alone"),
    ],
)
def test_host_that_never_matches_is_named(settings: Settings, entry: str, hint: str) -> None:
    settings.ALLOWED_HOSTS = ["localhost", entry]
    (error,) = checks.hosts()
    assert (error.id, error.msg) == ("settings.E001", f"ALLOWED_HOSTS: {entry!r} matches no host")
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    "entry", ["https://events.example.com", "http://localhost:8000", "https://*.example.com", "https://[::1]:8443"]
)
def test_origin_is_let_be(settings: Settings, entry: str) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [entry]
    assert checks.origins() == []


@pytest.mark.parametrize(
    "entry",
    [
        "events.example.com",
        "*",
        "https://events.example.com/",
        "https://events.example.com/admin",
        "https://Events.example.com",
        "https://events.example.com:443",
        "http://events.example.com:80",
        "HTTPS://events.example.com",
        "https://events.example.com:x",
        "https://.example.com",
    ],
)
def test_origin_that_no_browser_sends_is_named(settings: Settings, entry: str) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [entry]
    (error,) = checks.origins()
    assert (error.id, error.msg) == ("settings.E002", f"CSRF_TRUSTED_ORIGINS: {entry!r} is not an origin")


@pytest.fixture
def database(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a SQLite database, in a directory that has a file."""
    (tmp_path / "file").touch()
    default: dict[str, str] = settings.DATABASES["default"]
    monkeypatch.setitem(default, "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(default, "NAME", str(tmp_path / "events.sqlite3"))
    return default


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing/events.sqlite3", "there is no directory"),
        ("file/events.sqlite3", "no directory"),
        (".", "a directory"),
    ],
)
def test_file_of_the_database_in_no_directory_is_named(
    settings: Settings, tmp_path: Path, database: dict[str, str], path: str, message: str
) -> None:
    database["NAME"] = str(tmp_path / path)
    for url, name in [("", "VAR_DIR"), ("sqlite:////somewhere", "DATABASE_URL")]:
        settings.DATABASE_URL = url
        (error,) = checks.paths()
        assert error.id == "settings.E003"
        assert error.msg.startswith(f"{name}: ")
        assert message in error.msg


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "is a directory, and has to be a file"),
        ("file/spool.sqlite3", "is no directory"),
        ("file/deeper/spool.sqlite3", "is no directory"),
        ("events.sqlite3", "is the database"),
    ],
)
@pytest.mark.usefixtures("database")
def test_spool_that_cannot_be_a_file_is_named(settings: Settings, tmp_path: Path, path: str, message: str) -> None:
    settings.SPOOL_PATH = str(tmp_path / path)
    (error,) = checks.paths()
    assert error.msg.startswith("SPOOL_PATH: ")
    assert message in error.msg
    settings.SPOOL_PATH = str(tmp_path / "new" / "spool.sqlite3")
    assert checks.paths() == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("log_level", "LOG_LEVEL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("SPOOL_MAX_BYTE", "SPOOL_MAX_BYTES"),
        ("MAXMIND_LICENCE_KEY", "MAXMIND_LICENSE_KEY"),
    ],
)
def test_misspelt_name_in_the_file_is_a_warning(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.setattr(env_file, "names", ["SECRET_KEY", name, "POSTGRES_PASSWORD", "COMPOSE_PROJECT_NAME"])
    (warning,) = checks.names()
    assert (warning.id, warning.msg) == ("settings.W001", f"{name} is no setting of the server")
    assert warning.hint == f"Is it {meant}?"


def test_misspelt_name_in_the_environment_is_a_warning_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOSTNAME", "PORTS", "HTTPS_PROXY", "DEBUGGER", "POSTGRES_URL"):
        monkeypatch.setenv(name, "another program's")
    assert "PORTS" not in told(checks.names_in_environment())
    monkeypatch.setenv("WEB_CONCURENCY", "4")
    assert "Is it WEB_CONCURRENCY?" in told(checks.names_in_environment())
