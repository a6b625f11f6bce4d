"""What of the database is away: one circuit for reaching it, one for writing to it."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import Error, InterfaceError, OperationalError

from runtime import outage


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    yield
    outage.end()


def failure(cause: Exception | None, kind: type[Error] = OperationalError) -> Error:
    error = kind("it failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        failure(None),
        failure(psycopg.OperationalError("connection refused")),
        failure(psycopg.errors.ConnectionFailure()),
        failure(psycopg.errors.AdminShutdown()),
        failure(psycopg.errors.CannotConnectNow()),
        failure(psycopg.InterfaceError("the connection is closed"), InterfaceError),
    ],
)
def test_database_that_cannot_be_reached_is_away_for_all(error: Error) -> None:
    outage.begin(error)
    assert outage.database.is_open
    assert outage.writing.is_open
    outage.database.close()  # as a read that works does; whether events are taken it does not tell
    assert outage.is_on()


@pytest.mark.parametrize(
    "cause",
    [
        psycopg.errors.LockNotAvailable(),
        psycopg.errors.DiskFull(),
        psycopg.errors.ReadOnlySqlTransaction(),
        psycopg.errors.QueryCanceled(),
    ],
)
def test_database_that_takes_no_events_can_still_be_read(cause: Exception) -> None:
    outage.begin(failure(cause))
    assert not outage.database.is_open
    assert outage.writing.is_open
    assert outage.is_on()


def test_write_that_works_ends_both() -> None:
    outage.begin(failure(None))
    outage.begin(failure(psycopg.errors.DiskFull()))
    outage.end()
    assert not outage.is_on()
