"""Shows several statements one and the same moment, so that what they find agrees."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, transaction


@contextmanager
def snapshot() -> Iterator[None]:
    """Let all statements inside see what the first of them sees. They may only read; nobody waits for them to end.

    Inside an open transaction they see what that one does. Raises `django.db.Error`.
    """
    if connection.in_atomic_block:
        yield
        return
    with _deferred(), transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                if not settings.STATEMENT_SECONDS:
                    # A command, whose statements have no bound, may think about what it has read without one, too.
                    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


@contextmanager
def _deferred() -> Iterator[None]:
    """Let the next transaction on SQLite take no lock of a writer."""
    if connection.vendor != "sqlite":
        yield
        return
    wrapper: Any = connection
    # It has its mode only once it is open.
    wrapper.ensure_connection()
    usual = wrapper.transaction_mode
    wrapper.transaction_mode = "DEFERRED"
    try:
        yield
    finally:
        wrapper.transaction_mode = usual
