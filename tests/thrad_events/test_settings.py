"""What `manage.py` makes of settings: a slip is named by a check, and no command speaks of what it has no use for."""

from pathlib import Path

import pytest

from tests.harness.commands import manage

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("TRUSTED_PROXIES", "nonsense", "collect.E001"),
        ("METRICS_ALLOW", "127.0.0.1,nonsense", "collect.E001"),
        ("TRUSTED_PROXIES", "*", "collect.E001"),
        ("CACHE_URL", "nonsense", "keys.E001"),
        ("ALLOWED_HOSTS", "https://events.example.com", "settings.E001"),
        ("CSRF_TRUSTED_ORIGINS", "https://events.example.com/", "settings.E002"),
        ("SPOOL_PATH", "/proc", "settings.E003"),
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


def test_setting_in_the_file_that_cannot_be_read_is_named_by_a_command_too(tmp_path: Path) -> None:
    """Also the one that commands have no use for: a reload is checked by a command."""
    file = tmp_path / ".env"
    file.write_text("STATEMENT_SECONDS=5s\n")
    told = manage("check", ENV_FILE=str(file))
    assert (told.returncode, told.stderr.partition(":")[0]) == (1, "STATEMENT_SECONDS is '5s', which cannot be read")


def test_commands_set_no_bound_for_statements() -> None:
    told = manage("shell", "-v0", "-c", "from django.conf import settings as s; print(s.STATEMENT_SECONDS)")
    assert told.stdout == "0\n"


def test_misspelt_setting_in_the_file_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("TRUSTED_PROXY=10.0.0.0/8\n")
    told = manage("check", ENV_FILE=str(file))
    assert told.returncode == 0
    assert "(settings.W001) TRUSTED_PROXY is no setting of the server" in told.stderr
    assert "Is it TRUSTED_PROXIES?" in told.stderr


def test_directory_with_any_name_holds_the_default_database(tmp_path: Path) -> None:
    directory = tmp_path / "a+b c#d 100%20?e=f"
    missing = manage("migrate", "-v0", VAR_DIR=str(directory), DATABASE_URL="")
    assert missing.returncode == 1
    assert missing.stderr == (
        f"The database {directory}/events.sqlite3 cannot be used: unable to open database file\nIs VAR_DIR right?\n"
    )
    directory.mkdir()
    made = manage("migrate", "-v0", VAR_DIR=str(directory), DATABASE_URL="")
    assert (made.returncode, made.stderr) == (0, "")
    assert "events.sqlite3" in {path.name for path in directory.iterdir()}


def test_command_says_nothing_of_a_geo_database_that_it_has_no_use_for() -> None:
    missing = {"GEOIP_PATH": "/nowhere/city.mmdb"}
    assert manage("list_keys", "--help", **missing).stderr == ""
    assert "geo" not in manage("showmigrations", "keys", **missing).stderr.lower()
    assert manage("check", **missing).stderr == ""


def test_deployment_check_names_a_missing_geo_database() -> None:
    told = manage("check", "--deploy", GEOIP_PATH="/nowhere/city.mmdb")
    assert "collect.W001" in told.stderr
