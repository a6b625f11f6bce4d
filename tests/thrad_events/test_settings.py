"""What `manage.py` makes of settings: a slip is named by a check, and no command speaks of what it has no use for."""

import os
import subprocess
import sys

import pytest

from tests.harness.server import ROOT


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `manage.py` in a process of its own, with these settings."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("TRUSTED_PROXIES", "nonsense", "collect.E001"),
        ("METRICS_ALLOW", "127.0.0.1,nonsense", "collect.E001"),
        ("CACHE_URL", "nonsense", "keys.E001"),
    ],
)
@pytest.mark.parametrize("command", [["check"], ["list_keys"]])
def test_setting_that_cannot_be_used_is_named_by_a_check(name: str, value: str, check: str, command: list[str]) -> None:
    told = manage(*command, **{name: value})
    assert told.returncode == 1
    assert check in told.stderr
    assert name in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STATEMENT_SECONDS", "5s"),
        ("SPOOL_MAX_BYTES", "1G"),
        ("WEB_CONCURRENCY", "two"),
        ("HTTPS", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgresql://events:secret@db:port/events"),
    ],
)
def test_setting_that_cannot_be_read_is_named_without_a_traceback(name: str, value: str) -> None:
    told = manage("check", **{name: value})
    assert told.returncode == 1
    assert told.stderr.startswith(name)
    assert "Traceback" not in told.stderr
    assert "secret" not in told.stderr


def test_command_says_nothing_of_a_geo_database_that_it_has_no_use_for() -> None:
    missing = {"GEOIP_PATH": "/nowhere/city.mmdb"}
    assert manage("list_keys", "--help", **missing).stderr == ""
    assert "geo" not in manage("showmigrations", "keys", **missing).stderr.lower()
    assert manage("check", **missing).stderr == ""


def test_deployment_check_names_a_missing_geo_database() -> None:
    told = manage("check", "--deploy", GEOIP_PATH="/nowhere/city.mmdb")
    assert "collect.W001" in told.stderr
