"""Every connection has its bounds and reads values as they are, whatever PostgreSQL or a pooler has set."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import Settings

from runtime.postgresql.pooling import is_by_transaction
from tests.harness import databases
from tests.harness.waiting import eventually

pytestmark = pytest.mark.django_db

BOUNDS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@pytest.fixture
def another() -> Iterator[BaseDatabaseWrapper]:
    """A connection that is not open yet."""
    wrapper = connection.copy()
    yield wrapper
    wrapper.close()


def bounds(wrapper: BaseDatabaseWrapper) -> list[str]:
    with wrapper.cursor() as cursor:
        found = []
        for name in BOUNDS:
            cursor.execute(f"SHOW {name}")
            found.append(cursor.fetchone()[0])
        return found


@pytest.mark.parametrize(("seconds", "expected"), [(5, ["5s", "4s", "1min"]), (0, ["0", "0", "1min"])])
def test_connection_has_its_bounds(
    another: BaseDatabaseWrapper, settings: Settings, seconds: int, expected: list[str]
) -> None:
    settings.STATEMENT_SECONDS = seconds
    assert bounds(another) == expected
    assert another.get_autocommit()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-c lock_timeout=1234 -c search_path=public", ["5s", "1234ms", "1min"]),
        ("-c LOCK_TIMEOUT=1234", ["5s", "1234ms", "1min"]),
        ("--lock-timeout=1234", ["5s", "1234ms", "1min"]),
        ("-clock_timeout=0", ["5s", "0", "1min"]),
        # Names that have one of ours in them.
        ("-c deadlock_timeout=2000", ["5s", "4s", "1min"]),
        ("-c application_name=statement_timeout", ["5s", "4s", "1min"]),
    ],
)
def test_bound_that_the_options_of_the_url_name_is_theirs(
    another: BaseDatabaseWrapper, settings: Settings, options: str, expected: list[str]
) -> None:
    settings.STATEMENT_SECONDS = 5
    another.settings_dict["OPTIONS"]["options"] = options
    assert bounds(another) == expected


def test_bound_that_pgoptions_names_is_theirs(
    another: BaseDatabaseWrapper, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATEMENT_SECONDS = 5
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=7000")
    assert bounds(another) == ["7s", "4s", "1min"]


def test_all_bounds_may_be_theirs(another: BaseDatabaseWrapper) -> None:
    another.settings_dict["OPTIONS"]["options"] = " ".join(f"-c {name}=2000" for name in BOUNDS)
    assert bounds(another) == ["2s", "2s", "2s"]


# In a transaction, pg_stat_activity says again what it said the first time.
@pytest.mark.django_db(transaction=True)
def test_connection_that_cannot_be_bounded_is_closed(another: BaseDatabaseWrapper, settings: Settings) -> None:
    settings.STATEMENT_SECONDS = 3_000_000
    another.settings_dict["OPTIONS"]["application_name"] = "unbounded"
    with pytest.raises(DatabaseError, match="invalid value for parameter"):
        another.ensure_connection()
    settings.STATEMENT_SECONDS = 5  # for the connection of the test, if it has none yet
    assert another.connection is None

    def is_gone() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'unbounded'")
            return bool(cursor.fetchone()[0] == 0)

    assert eventually(is_gone)


MOMENT = datetime(2025, 5, 26, 15, 20, 0, 250000, UTC)


@pytest.fixture(params=[5, 0], ids=["server", "command"])
def elsewhere(
    request: pytest.FixtureRequest, tmp_path: Path, another: BaseDatabaseWrapper, settings: Settings
) -> Iterator[BaseDatabaseWrapper]:
    """A connection that is not open yet, to a database of its own."""
    settings.STATEMENT_SECONDS = request.param
    with databases.new(tmp_path) as url:
        another.settings_dict["NAME"] = urlsplit(url).path[1:]
        yield another
        another.close()


def set_in_database(wrapper: BaseDatabaseWrapper, setting: str) -> None:
    """Set it for all who connect from now on, as an operator does."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {wrapper.settings_dict['NAME']} SET {setting}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("setting", "query", "expected"),
    [
        ("datestyle = German, DMY", "SELECT '2025-05-26T15:20:00.25Z'::timestamptz", MOMENT),
        ("datestyle = SQL, DMY", "SELECT '2025-05-26T15:20:00.25Z'::timestamptz::text", "2025-05-26 15:20:00.25+00"),
        ("intervalstyle = iso_8601", "SELECT '36 hours'::interval", timedelta(hours=36)),
        ("extra_float_digits = -3", "SELECT 0.1::float8 + 0.2::float8", 0.30000000000000004),
        ("standard_conforming_strings = off", r"SELECT 'a\x5cb'", r"a\x5cb"),
        ("array_nulls = off", "SELECT '{NULL,a}'::text[]", [None, "a"]),
        # These psycopg and Django see to themselves.
        ("bytea_output = escape", r"SELECT '\xff00'::bytea", b"\xff\x00"),
        ("timezone = 'Asia/Kathmandu'", "SELECT '2025-05-26T15:20:00.25Z'::timestamptz", MOMENT),
        ("client_encoding = LATIN1", "SELECT '\u20ac'", "\u20ac"),
    ],
)
def test_values_are_read_whatever_the_database_has_set(
    elsewhere: BaseDatabaseWrapper, setting: str, query: str, expected: object
) -> None:
    set_in_database(elsewhere, setting)
    with elsewhere.cursor() as cursor:
        cursor.execute(query)
        (found,) = cursor.fetchone()
    assert (bytes(found) if isinstance(expected, bytes) else found) == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["transaction_timeout", "idle_session_timeout"])
def test_nothing_is_cut_off_by_what_the_database_has_set(elsewhere: BaseDatabaseWrapper, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_settings WHERE name = %s", [name])
        there = cursor.fetchone()[0]
    if there:
        set_in_database(elsewhere, f"{name} = 60000")
    with elsewhere.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_settings WHERE name = %s", [name])
        assert cursor.fetchall() == [("0",)] * there


def test_connections_of_their_own_are_by_the_session() -> None:
    assert not is_by_transaction(connection)
