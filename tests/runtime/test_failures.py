"""What a failure of the database means: away, to be sent again, or a row's own fault."""

import sqlite3

import psycopg
import pytest
from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
)
from pytest_django import Settings

from runtime import failures
from tests.harness.databases import failure

LOST = [
    failure(kind=OperationalError),
    failure(psycopg.OperationalError("connection refused"), OperationalError),
    failure(psycopg.InterfaceError("the connection is closed"), InterfaceError),
    # connection failure, admin shutdown, cannot connect now
    *(failure(sqlstate, OperationalError) for sqlstate in ("08006", "57P01", "57P03")),
]
# lock not available, disk full, too many connections, read-only transaction, query canceled, io error
WRITES_NOTHING = [
    failure(sqlstate, OperationalError) for sqlstate in ("55P03", "53100", "53300", "25006", "57014", "58030")
]
ROLLED_BACK = [failure(sqlstate, OperationalError) for sqlstate in ("40001", "40P01")]
POISON = [
    failure("54000", OperationalError),
    failure("22P02", DataError),
    failure("23502", IntegrityError),
    failure(kind=OperationalError, text="malformed JSON"),
]
# Of a row or of the whole table, which the error alone does not tell: raise exception, insufficient privilege,
# undefined function, internal error, object not in prerequisite state.
UNCLEAR = [
    *(failure(sqlstate) for sqlstate in ("P0001", "42501", "42883", "XX000", "55000")),
    failure(text="rows are neither new nor found"),
    # Constraints, which may be gone tomorrow.
    *(failure(sqlstate, IntegrityError) for sqlstate in ("23514", "23P01")),
]


def kinds(error: Error) -> set[str]:
    tests = {
        "lost": failures.is_lost,
        "away": failures.is_away,
        "rolled back": failures.is_rolled_back,
        "poison": failures.is_poison,
    }
    return {name for name, test in tests.items() if test(error)}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((error, {"lost", "away"}) for error in LOST),
        *((error, {"away"}) for error in WRITES_NOTHING),
        *((error, {"rolled back"}) for error in ROLLED_BACK),
        *((error, {"poison"}) for error in POISON),
        *((error, set()) for error in UNCLEAR),
    ],
)
def test_a_failure_is_of_one_kind(error: Error, expected: set[str]) -> None:
    assert kinds(error) == expected


def one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        found: int = cursor.fetchone()[0]
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
def test_connection_that_was_cut_is_made_anew_once() -> None:
    assert one() == 1
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    other.close()
    assert failures.again_if_cut(one) == 1


@pytest.mark.django_db(transaction=True)
def test_call_that_fails_on_a_good_connection_is_not_made_again() -> None:
    calls = []

    def call() -> None:
        one()
        calls.append(connection.connection)
        raise failure("53100", OperationalError)

    with pytest.raises(OperationalError):
        failures.again_if_cut(call)
    assert calls == [connection.connection]


POSTGRESQL = {"ENGINE": "runtime.postgresql", "NAME": "events", "HOST": "db", "PASSWORD": "secret"}


def of_sqlite(statement: str, path: str = ":memory:") -> Error:
    """What Django makes of the failure of a statement."""
    try:
        sqlite3.connect(path).execute(statement)
    except sqlite3.Error as cause:
        return failure(cause, OperationalError, str(cause))
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            failure(psycopg.OperationalError("refused\n\tIs the server running?"), OperationalError),
            "The database events at db cannot be used: refused\nIs it running, and DATABASE_URL right?",
        ),
        (
            of_sqlite("SELECT 1", "/proc/no/spool.sqlite3"),
            "The database /srv/spool.sqlite3 cannot be used: unable to open database file\nIs SPOOL_PATH right?",
        ),
        (
            of_sqlite("SELECT * FROM spooled"),
            "The database /srv/spool.sqlite3 lacks tables or columns: no such table: spooled\n"
            "Run `manage.py migrate`; is SPOOL_PATH right?",
        ),
        (of_sqlite("SELECT ("), None),
        (failure("42601", ProgrammingError), None),
        (failure("23505", IntegrityError), None),
    ],
)
def test_failure_is_told_with_its_place_and_setting(
    error: Error, words: str | None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES, "default", POSTGRESQL)
    settings.DATABASE_URL = "postgresql://events:secret@db/events"
    settings.SPOOL_PATH = "/srv/spool.sqlite3"
    assert failures.in_words(error) == words


def test_statement_that_took_too_long_is_told_from_others() -> None:
    assert failures.is_timed_out(failure("57014", OperationalError))
    assert not failures.is_timed_out(failure("55P03", OperationalError))
