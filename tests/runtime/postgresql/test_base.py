"""Every connection has its bounds, whoever stands between it and PostgreSQL."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import Settings

from runtime.postgresql.pooling import is_by_transaction
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


def test_bound_that_the_options_of_the_url_name_is_theirs(another: BaseDatabaseWrapper, settings: Settings) -> None:
    settings.STATEMENT_SECONDS = 5
    another.settings_dict["OPTIONS"]["options"] = "-c lock_timeout=1234 -c search_path=public"
    assert bounds(another) == ["5s", "1234ms", "1min"]


def test_all_bounds_may_be_theirs(another: BaseDatabaseWrapper) -> None:
    another.settings_dict["OPTIONS"]["options"] = " ".join(f"-c {name}=2000" for name in BOUNDS)
    assert bounds(another) == ["2s", "2s", "2s"]


# In a transaction, pg_stat_activity says again what it said the first time.
@pytest.mark.django_db(transaction=True)
def test_connection_that_cannot_be_bounded_is_closed(another: BaseDatabaseWrapper, settings: Settings) -> None:
    settings.STATEMENT_SECONDS = 3_000_000
    another.settings_dict["OPTIONS"]["application_name"] = "unbounded"
    with pytest.raises(DatabaseError, match="statement_timeout"):
        another.ensure_connection()
    settings.STATEMENT_SECONDS = 5  # for the connection of the test, if it has none yet
    assert another.connection is None

    def is_gone() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'unbounded'")
            return bool(cursor.fetchone()[0] == 0)

    assert eventually(is_gone)


def test_connections_of_their_own_are_by_the_session() -> None:
    assert not is_by_transaction(connection)
