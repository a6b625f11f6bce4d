"""What the tests of keys share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection

from keys import directory
from runtime import outage
from runtime.circuit import Circuit


@pytest.fixture(autouse=True)
def fresh_directory(monkeypatch: pytest.MonkeyPatch) -> directory.Directory:
    """The directory of a process that has met no key, for each test."""
    fresh = directory.Directory(database=Circuit("the database", outage.RETRY_SECONDS))
    for name in ("find", "forget", "mark_used", "partner_name", "housekeep"):
        monkeypatch.setattr(directory, name, getattr(fresh, name))
    return fresh


@contextmanager
def failing(error: type[Exception] = OperationalError, only: str = "") -> Iterator[list[str]]:
    """Fail every statement (that contains `only`) as when the database is away; the list of those sent."""
    sent: list[str] = []

    def refuse(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        sent.append(sql)
        if only in sql:
            raise error("the connection is lost")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield sent
