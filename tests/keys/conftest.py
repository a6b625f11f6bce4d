"""What the tests of keys share."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from keys import directory
from runtime import outage
from runtime.circuit import Circuit


@pytest.fixture(autouse=True)
def fresh_directory(monkeypatch: pytest.MonkeyPatch) -> directory.Directory:
    """Each test in a process that has met no key."""
    fresh = directory.Directory(database=Circuit("the database", outage.RETRY_SECONDS))
    for name in ("find", "forget", "mark_used", "partner_name", "housekeep"):
        monkeypatch.setattr(directory, name, getattr(fresh, name))
    return fresh


@contextmanager
def failing(error: type[Exception] = OperationalError, only: str = "") -> Iterator[list[str]]:
    """Every statement (that contains `only`) fails as it does when the database is away; yields those sent."""
    sent: list[str] = []

    def refuse(execute, sql, params, many, context):
        sent.append(sql)
        if only in sql:
            raise error("the connection is lost")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield sent
