"""What of the database is away: one circuit for reaching it, one for writing to it."""

import pytest
from django.db import OperationalError

from runtime import outage
from tests.harness.databases import failure


@pytest.mark.parametrize("cause", [None, "08006", "57P01"])
def test_database_that_cannot_be_reached_is_away_for_all(cause: str | None) -> None:
    outage.begin(failure(cause, OperationalError))
    assert outage.database.is_open
    assert outage.writing.is_open
    outage.database.close()  # as a read that works does; whether events are taken it does not tell
    assert outage.writing.is_open


@pytest.mark.parametrize("cause", ["55P03", "53100", "25006", "57014"])
def test_database_that_takes_no_events_can_still_be_read(cause: str) -> None:
    outage.begin(failure(cause, OperationalError))
    assert not outage.database.is_open
    assert outage.writing.is_open


@pytest.mark.parametrize("cause", ["40P01", "P0001", "42501"])
def test_failure_that_may_be_one_event_s_own_is_no_outage(cause: str) -> None:
    outage.begin(failure(cause))
    assert not outage.database.is_open
    assert not outage.writing.is_open


def test_write_that_works_ends_both() -> None:
    outage.begin(failure("08006", OperationalError))
    outage.begin(failure("53100", OperationalError))
    outage.end()
    assert not outage.database.is_open
    assert not outage.writing.is_open
