"""System checks of the app: each says what is wrong and what to do."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import NoReturn, Self

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from collect import checks
from collect.storage import durability
from tests.harness import databases, mmdb
from tests.harness.server import ROOT


@pytest.fixture
def city(settings: Settings, tmp_path: Path) -> Path:
    settings.GEOIP_PATH = str(tmp_path / "city.mmdb")
    return tmp_path / "city.mmdb"


def test_missing_geo_database_is_a_warning(city: Path) -> None:
    (warning,) = checks.geo_database()
    assert (warning.id, "no such file" in warning.msg) == ("collect.W001", True)
    assert "update_geoip" in (warning.hint or "")
    mmdb.write_city(city)
    assert checks.geo_database() == []


def test_old_geo_database_is_a_warning(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mmdb.write_city(city)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2100, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(checks, "datetime", Later)
    (warning,) = checks.geo_database()
    assert warning.id == "collect.W002"


@pytest.fixture
def unsafe() -> Iterator[str]:
    """The connection of the test, with a setting that can lose a commit."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET synchronous_commit = off")
            yield "synchronous_commit is off in PostgreSQL"
            cursor.execute("RESET synchronous_commit")
        else:
            cursor.execute("PRAGMA synchronous = NORMAL")
            yield "PRAGMA synchronous is 1 in SQLite, below FULL"
            cursor.execute("PRAGMA synchronous = FULL")


@pytest.mark.django_db(transaction=True)
def test_database_that_may_lose_commits_is_a_warning_of_check_and_of_deploy(unsafe: str) -> None:
    (warning,) = checks.storage(databases=["default"])
    assert (warning.id, warning.msg) == ("collect.W004", unsafe)
    assert checks.database_at_deployment() == [warning]
    assert checks.database_at_deployment(databases=["default"]) == []
    assert checks.storage(databases=None) == []


@pytest.mark.django_db(transaction=True, databases=["default", "spool"])
def test_database_that_may_lose_commits_is_seen_on_the_readiness_page(client: Client, unsafe: str) -> None:
    assert client.get("/readyz").json()["checks"]["database"]["warnings"] == [unsafe]


OBSTACLES = {
    "postgresql": [
        (
            "SET default_transaction_isolation = 'serializable'",
            "RESET default_transaction_isolation",
            "default_transaction_isolation is serializable in PostgreSQL, not read committed",
        ),
        (
            "SET session_replication_role = replica",
            "RESET session_replication_role",
            "session_replication_role is replica in PostgreSQL, not origin",
        ),
        (
            "CREATE RULE sink AS ON INSERT TO collect_event DO INSTEAD NOTHING",
            "DROP RULE sink ON collect_event",
            "the trigger or rule sink on the table collect_event may refuse or change events",
        ),
        (
            "CREATE TRIGGER guard BEFORE UPDATE ON collect_event FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "DROP TRIGGER guard ON collect_event",
            "the trigger or rule guard on the table collect_event may refuse or change events",
        ),
    ],
    "sqlite": [
        (
            "CREATE TRIGGER guard BEFORE INSERT ON collect_event BEGIN SELECT 1; END",
            "DROP TRIGGER guard",
            "the trigger guard on the table collect_event may refuse or change events",
        ),
    ],
}


@pytest.mark.django_db(transaction=True, databases=["default", "spool"])
@pytest.mark.parametrize(("make", "undo", "said"), OBSTACLES["sqlite" if databases.is_sqlite() else "postgresql"])
def test_what_may_refuse_an_event_is_said_by_check_and_readiness(
    client: Client, make: str, undo: str, said: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(make)
        try:
            (warning,) = checks.storage(databases=["default"])
            assert (warning.id, warning.msg) == ("collect.W006", said)
            assert client.get("/readyz").json()["checks"]["database"]["warnings"] == [said]
        finally:
            cursor.execute(undo)


@pytest.fixture
def as_ordinary(transactional_db: None) -> Iterator[Callable[[str], None]]:
    """A role that may do with events what it is given, and that the test then is: a superuser is bound by nothing."""

    def become(rights: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE ordinary")
            cursor.execute(f"GRANT {rights} ON collect_event TO ordinary")
            cursor.execute("SET ROLE ordinary")

    yield become
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("DROP OWNED BY ordinary")
        cursor.execute("DROP ROLE ordinary")


@pytest.mark.postgresql
def test_row_level_security_is_said_by_check(as_ordinary: Callable[[str], None]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE collect_event ENABLE ROW LEVEL SECURITY")
        as_ordinary("SELECT, INSERT, UPDATE, DELETE")
        try:
            (warning,) = checks.storage(databases=["default"])
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("ALTER TABLE collect_event DISABLE ROW LEVEL SECURITY")
    assert warning.msg == "row-level security applies to the table collect_event"


@pytest.mark.postgresql
def test_right_that_is_missing_is_said_by_check(as_ordinary: Callable[[str], None]) -> None:
    as_ordinary("SELECT, UPDATE, DELETE")
    (warning,) = checks.storage(databases=["default"])
    said = "the server's role has no right to INSERT on the table collect_event"
    assert (warning.id, warning.msg) == ("collect.W006", said)


@pytest.mark.postgresql
def test_encoding_of_the_database_is_said_by_check(tmp_path: Path) -> None:
    """One that cannot hold every character, made before `migrate`: the first check says so."""
    with databases.new(tmp_path, "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0") as url:
        check = subprocess.run(
            [sys.executable, "manage.py", "check", "--database", "default"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=True,
        )
    assert "(collect.W006) server_encoding is LATIN1 in PostgreSQL, not UTF8" in check.stderr


@pytest.mark.django_db
def test_safe_database_is_no_warning() -> None:
    assert checks.storage(databases=["default"]) == []


def test_database_that_is_away_is_another_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> NoReturn:
        raise OperationalError("connection refused")

    monkeypatch.setattr(durability, "problems", away)
    (warning,) = checks.storage(databases=["default"])
    assert warning.id == "collect.W005"
    assert "connection refused" in warning.msg
