"""What a command says of a database that is away, empty, or forbids it: in two lines, with what to do."""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.harness import databases
from tests.harness.commands import manage
from tests.harness.server import ROOT

COMMANDS = ["list_keys", "export_events --out OUT", "import_events IN --partner acme", "derive_tags"]


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """A command with its arguments, of which the files can be used."""
    file = tmp_path / "in.ndjson"
    file.write_text('{"event_name": "custom"}\n')
    places = {"OUT": str(tmp_path / "out.ndjson"), "IN": str(file)}
    return [places.get(word, word) for word in request.param.split()]


def two_lines(arguments: list[str], url: str, **environment: str) -> tuple[str, str]:
    """Run a command that fails, and return its last two lines; in front `migrate` has warnings of checks."""
    told = manage(*arguments, DATABASE_URL=url, **environment)
    assert (told.returncode, told.stdout) == (1, "")
    assert not {"secret", "Traceback"} & set(re.findall(r"\w+", told.stderr))
    *warnings, first, second = told.stderr.splitlines()
    assert not warnings or arguments[0] == "migrate"
    return first.removeprefix("CommandError: "), second


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://events:secret@127.0.0.1:1/events", "events at 127.0.0.1"),
        ("postgresql://events:secret@nowhere.invalid/events", "events at nowhere.invalid"),
        ("postgresql://events:secret@127.0.0.1:1/events?sslcert=/nowhere&sslmode=verify-full", "events at 127.0.0.1"),
    ],
)
def test_postgresql_that_cannot_be_reached_is_named(url: str, place: str) -> None:
    first, second = two_lines(["migrate", "-v0"], url)
    assert first.startswith(f"The database {place} cannot be used: ")
    assert second == "Is it running, and DATABASE_URL right?"


def test_database_away_is_named_by_every_command(command: list[str]) -> None:
    first, second = two_lines(command, "postgresql://events:secret@127.0.0.1:1/events")
    assert first.startswith("The database events at 127.0.0.1 cannot be used: ")
    assert first.endswith("Connection refused")
    assert second == "Is it running, and DATABASE_URL right?"


def test_file_that_cannot_be_opened_is_named_by_every_command(command: list[str]) -> None:
    assert two_lines(command, "sqlite:////proc/events.sqlite3") == (
        "The database /proc/events.sqlite3 cannot be used: unable to open database file",
        "Is DATABASE_URL right?",
    )


@pytest.mark.django_db
def test_database_without_tables_is_to_be_migrated(tmp_path: Path, command: list[str]) -> None:
    with databases.new(tmp_path) as url:
        first, second = two_lines(command, url)
    assert " lacks tables or columns: " in first
    assert second == "Run `manage.py migrate`; is DATABASE_URL right?"


@pytest.fixture
def stranger() -> Iterator[str]:
    """A role without any right."""
    name = f"test_{secrets.token_hex(6)}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name}")
        yield name
        cursor.execute(f"DROP ROLE {name}")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_missing_right_is_named(stranger: str, command: list[str]) -> None:
    first, second = two_lines(command, f"{databases.current_url()}?assume_role={stranger}")
    assert " forbids it: permission denied for table " in first
    assert second == "Grant the rights that docs/operations.md has."


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_migration_without_the_right_to_make_tables_is_named(stranger: str, tmp_path: Path) -> None:
    with databases.new(tmp_path) as url:
        first, _ = two_lines(["migrate", "-v0"], f"{url}?assume_role={stranger}")
    assert " forbids it: permission denied for schema public" in first


def test_fault_of_ours_keeps_its_traceback(tmp_path: Path) -> None:
    """Nobody could find it without."""
    (tmp_path / "faulty.py").write_text(
        "from django.db import connection\nconnection.cursor().execute('SELECT nonsense(')\n"
    )
    told = manage(
        "shell",
        "-v0",
        "-c",
        "import faulty",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
        DATABASE_URL="sqlite:///:memory:",
    )
    assert "Traceback" in told.stderr
    assert "faulty.py" in told.stderr
