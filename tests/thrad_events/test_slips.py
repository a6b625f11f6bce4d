"""Slips of the pen in every setting: one row a slip, which is either right or named with what was probably meant."""

import os
import re
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from runtime import env_file
from runtime.environment import LEVELS
from tests.harness import commands
from tests.harness.server import ROOT

pytestmark = pytest.mark.once

Read = Callable[..., dict[str, Any]]
NAMES = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
SECRET_KEY = "x" * 50
# A value of each setting that is not its default. The account of MaxMind is read by one command alone.
VALID = {
    "SECRET_KEY": "y" * 50,
    "HOST": "192.0.2.1",
    "PORT": "8001",
    "WEB_CONCURRENCY": "3",
    "DATABASE_URL": "postgresql://u:p@db:5432/events",
    "VAR_DIR": "/data/var",
    "GEOIP_PATH": "/data/city.mmdb",
    "ALLOWED_HOSTS": "events.example.com,[::1]",
    "CSRF_TRUSTED_ORIGINS": "https://events.example.com",
    "HTTPS": "1",
    "TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8",
    "SPOOL_PATH": "/data/spool.sqlite3",
    "SPOOL_MAX_BYTES": "1000000",
    "METRICS_ALLOW": "10.0.0.0/8",
    "CACHE_URL": "redis://127.0.0.1:6379/0",
    "TEST_EVENTS_DAYS": "0",
    "STATEMENT_SECONDS": "10",
    "AUTH_STALE_SECONDS": "0",
    "LOG_LEVEL": "WARNING",
    "DEBUG": "1",
}
# Gunicorn reads it before us, and as it stands.
READ_BEFORE_US = "WEB_CONCURRENCY"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """The settings as they are with what is given in the environment, and all else at its default."""

    def read(**given: str) -> dict[str, Any]:
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in ({"SECRET_KEY": SECRET_KEY, "ENV_FILE": os.devnull} | given).items():
            monkeypatch.setenv(name, value)
        found = runpy.run_path(str(ROOT / "thrad_events" / "settings.py"))
        # Functions differ from one reading to the next.
        return {name: value for name, value in found.items() if name.isupper() and name != "UNFOLD"}

    monkeypatch.setattr(env_file, "names", [])
    return read


def test_every_setting_is_walked_through() -> None:
    assert set(VALID) == set(NAMES) - {"MAXMIND_ACCOUNT_ID", "MAXMIND_LICENSE_KEY"}


@pytest.mark.parametrize("name", VALID)
def test_valid_value_makes_a_difference(read: Read, name: str) -> None:
    assert read(**{name: VALID[name]}) != read()


@pytest.mark.parametrize("blank", ["", "  ", "\t", '""', "''", '" "'])
@pytest.mark.parametrize("name", sorted(set(VALID) - {"SECRET_KEY", "METRICS_ALLOW", READ_BEFORE_US}))
def test_blank_is_the_default(read: Read, name: str, blank: str) -> None:
    assert read(**{name: blank}) == read()


@pytest.mark.parametrize("blank", ["", "  ", '""'])
def test_blank_secret_is_named_and_a_blank_list_of_networks_lets_nobody_in(read: Read, blank: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SECRET_KEY is not set"):
        read(SECRET_KEY=blank)
    assert read(METRICS_ALLOW=blank)["METRICS_ALLOW"] == []


@pytest.mark.parametrize("form", [" {} ", "{}\n", '"{}"', "'{}'", ' "{}" ', '" {} "'])
@pytest.mark.parametrize("name", sorted(set(VALID) - {READ_BEFORE_US}))
def test_blanks_and_quotes_around_a_value_change_nothing(read: Read, name: str, form: str) -> None:
    assert read(**{name: form.format(VALID[name])}) == read(**{name: VALID[name]})


@pytest.mark.parametrize("form", ["{}", " {} ", '"{}"', "'{}' # a remark", "{}  # a remark"])
@pytest.mark.parametrize("name", VALID)
def test_blanks_quotes_and_remarks_in_the_file_change_nothing(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    expected = read(**{name: VALID[name]})
    monkeypatch.setattr(os, "environ", os.environ.copy())
    (tmp_path / ".env").write_text(f"SECRET_KEY={SECRET_KEY}\n{name} = {form.format(VALID[name])}\n")
    for given in (name, "SECRET_KEY"):
        os.environ.pop(given, None)
    os.environ["ENV_FILE"] = str(tmp_path / ".env")
    found = runpy.run_path(str(ROOT / "thrad_events" / "settings.py"))
    assert {key: value for key, value in found.items() if key in expected} == expected


@pytest.mark.parametrize(
    ("name", "value", "read_as"),
    [
        ("ALLOWED_HOSTS", "a.example b.example", ["a.example", "b.example"]),
        ("ALLOWED_HOSTS", "a.example; b.example", ["a.example", "b.example"]),
        ("ALLOWED_HOSTS", "'a.example', \"b.example\",", ["a.example", "b.example"]),
        ("ALLOWED_HOSTS", '["a.example", "[::1]"]', ["a.example", "[::1]"]),
        ("ALLOWED_HOSTS", "['a.example']", ["a.example"]),
        ("ALLOWED_HOSTS", "[::1]", ["[::1]"]),
        ("ALLOWED_HOSTS", "[]", ["localhost", "127.0.0.1", "[::1]"]),
        ("TRUSTED_PROXIES", " 10.0.0.0/8 ,,\tfd00::/8\n", ["10.0.0.0/8", "fd00::/8"]),
        ("TRUSTED_PROXIES", "*", ["*"]),  # a check names it
        ("METRICS_ALLOW", "10.0.0.0/8\n10.1.0.0/16", ["10.0.0.0/8", "10.1.0.0/16"]),
        ("CSRF_TRUSTED_ORIGINS", "https://a.example https://b.example", ["https://a.example", "https://b.example"]),
        ("LOG_LEVEL", "info", "INFO"),
        ("LOG_LEVEL", "Warn", "WARNING"),
        ("LOG_LEVEL", "fatal", "CRITICAL"),
        ("HTTPS", "True", True),
        ("HTTPS", "OFF", False),
        ("DEBUG", "no", False),
        ("HOST", "[::1]", "::1"),
        ("HOST", "::", "::"),
        ("HOST", "localhost", "localhost"),
        ("HOST", "events-1.internal", "events-1.internal"),
        ("PORT", "08000", 8000),
        ("VAR_DIR", "data", ROOT / "data"),
        ("VAR_DIR", "~/events", Path.home() / "events"),
        ("VAR_DIR", "/data/a+b #1%?/", Path("/data/a+b #1%?")),
        ("SPOOL_PATH", "data/spool.sqlite3", str(ROOT / "data" / "spool.sqlite3")),
        ("GEOIP_PATH", "~/city.mmdb", str(Path.home() / "city.mmdb")),
    ],
)
def test_slip_is_right(read: Read, name: str, value: str, read_as: object) -> None:
    assert read(**{name: value})[name] == read_as


@pytest.mark.parametrize("name", ["data", "a+b", "c#d", "100%", "what?", "with blanks", "umlaut-ü", "%2F", "file:x"])
def test_default_database_is_in_var_whatever_its_name(read: Read, name: str) -> None:
    databases = read(VAR_DIR=f"/srv/{name}")["DATABASES"]
    assert databases["default"]["NAME"] == f"/srv/{name}/events.sqlite3"
    assert databases["spool"]["NAME"] == f"/srv/{name}/spool.sqlite3"


SECONDS = "a whole number without a unit, such as {} (seconds)"
BYTES = "a whole number without a unit, such as {} (bytes)"
DAYS = "a whole number without a unit, such as {} (days)"


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("STATEMENT_SECONDS", "5s", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "5 sec", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "1m", SECONDS.format(60)),
        ("STATEMENT_SECONDS", "500ms", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "5.0", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "2,5", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "-1", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "five", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "\u0665", SECONDS.format(5)),
        ("STATEMENT_SECONDS", "0", "a number from 1 to 600 (seconds)"),
        ("STATEMENT_SECONDS", "5000", "a number from 1 to 600 (seconds)"),
        ("STATEMENT_SECONDS", "9" * 5000, "a number from 1 to 600 (seconds)"),
        ("AUTH_STALE_SECONDS", "1h", SECONDS.format(3600)),
        ("AUTH_STALE_SECONDS", "2 Hours", SECONDS.format(7200)),
        ("AUTH_STALE_SECONDS", "3600000000", "a number from 0 to 31536000 (seconds)"),
        ("SPOOL_MAX_BYTES", "1G", BYTES.format(1073741824)),
        ("SPOOL_MAX_BYTES", "1gb", BYTES.format(1073741824)),
        ("SPOOL_MAX_BYTES", "512 MiB", BYTES.format(536870912)),
        ("SPOOL_MAX_BYTES", "1_073_741_824", BYTES.format(1073741824)),
        ("SPOOL_MAX_BYTES", "1,073,741,824", BYTES.format(1073741824)),
        ("SPOOL_MAX_BYTES", "1e9", BYTES.format(1073741824)),
        ("SPOOL_MAX_BYTES", "0", "a number from 65536 to 10000000000000 (bytes)"),
        ("SPOOL_MAX_BYTES", "1", "a number from 65536 to 10000000000000 (bytes)"),
        ("TEST_EVENTS_DAYS", "7d", DAYS.format(7)),
        ("TEST_EVENTS_DAYS", "2 weeks", DAYS.format(14)),
        ("TEST_EVENTS_DAYS", "never", DAYS.format(7)),
        ("TEST_EVENTS_DAYS", "1000000000", "a number from 0 to 36500 (days)"),
        ("PORT", "80a", "a whole number without a unit, such as 8000"),
        ("PORT", ":8000", "a whole number without a unit, such as 8000"),
        ("PORT", "tcp://10.0.0.1:8000", "a whole number without a unit, such as 8000"),
        ("PORT", "0", "a number from 1 to 65535"),
        ("PORT", "80000", "a number from 1 to 65535"),
        ("WEB_CONCURRENCY", "0", "a number from 1 to 1000"),
        ("WEB_CONCURRENCY", "auto", "a whole number, or do not set it"),
        ("WEB_CONCURRENCY", "", "a whole number, or do not set it"),
        ("HOST", "http://0.0.0.0", "an address or a name alone"),
        ("HOST", "0.0.0.0:8000", "an address or a name alone"),
        ("HOST", "[::]:8000", "an address or a name alone"),
        ("HOST", "*", "0.0.0.0 for every address"),
        ("HOST", "127.0.0", "an address or a name alone"),
        ("HOST", "256.0.0.1", "an address or a name alone"),
        ("HOST", "unix:/run/events.sock", "an address or a name alone"),
        ("HTTPS", "maybe", "1 or 0"),
        ("HTTPS", "https", "1 or 0"),
        ("HTTPS", "2", "1 or 0"),
        ("DEBUG", "verbose", "1 or 0"),
        ("LOG_LEVEL", "loud", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("LOG_LEVEL", "20", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("LOG_LEVEL", "info,debug", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("VAR_DIR", "~nobody-of-that-name/var", "a path without ~"),
        ("DATABASE_URL", "mysql://u:p@db/events", "postgresql://USER:PASSWORD@HOST:5432/NAME"),
        ("DATABASE_URL", "sqlite://", "postgresql://USER:PASSWORD@HOST:5432/NAME, or sqlite:///PATH"),
    ],
)
def test_slip_is_named_with_what_was_meant(read: Read, name: str, value: str, meant: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        read(**{name: value})
    assert str(raised.value).startswith(f"{name} ")
    assert meant in str(raised.value)
    assert len(str(raised.value)) < 300


def gunicorn(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start the server, as it is started without `make`."""
    return commands.python("-m", "gunicorn", *arguments, **environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80a"),
        ("PORT", "99999"),
        ("HOST", "http://x"),
        ("WEB_CONCURRENCY", "0"),
        ("LOG_LEVEL", "loud"),
        ("ENV_FILE", "/nowhere/.env"),
        ("STATEMENT_SECONDS", "5s"),
        ("DATABASE_URL", "mysql://u:secret@db/events"),
        ("TRUSTED_PROXIES", "*"),
        ("ALLOWED_HOSTS", "https://events.example.com"),
        ("CACHE_URL", "redis://:12/secret@cache"),
    ],
)
def test_server_does_not_start_with_a_slip_and_names_it(name: str, value: str) -> None:
    told = gunicorn(**{name: value})
    assert told.returncode == 1
    assert name in told.stderr
    assert "Traceback" not in told.stderr
    assert "secret" not in told.stderr


def test_server_takes_its_settings_in_any_form() -> None:
    given = {"HOST": "[::1]", "PORT": " '8123' ", "WEB_CONCURRENCY": " 3 ", "LOG_LEVEL": "warn"}
    told = gunicorn("--print-config", **given).stdout
    found = dict(re.findall(r"^(bind|workers|loglevel) +=? *(.*)$", told, re.MULTILINE))
    assert found == {"bind": "['[::1]:8123']", "workers": "3", "loglevel": "WARNING"}


def test_every_level_of_the_log_is_in_the_example() -> None:
    remark = re.findall(r"^# (.*)\.\n#LOG_LEVEL=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert re.split(r", | or ", *remark) == list(LEVELS)
