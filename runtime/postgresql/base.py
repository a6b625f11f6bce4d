"""Django's PostgreSQL backend, with a limit on how long a connection waits for an answer.

The server enforces `statement_timeout`. A server that is stopped, or behind a network that drops packets, enforces
nothing, and a request would wait for as long as the kernel lets it.
"""

from functools import partial
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

# The time that is waited beyond the server's `statement_timeout`, so that its error, which says more, comes first.
GRACE_SECONDS = 1.0


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection on which a wait longer than `STATEMENT_SECONDS` and `GRACE_SECONDS` raises an OperationalError."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection as Django makes it, with the limit unless `STATEMENT_SECONDS` is 0."""
        connection = super().get_new_connection(conn_params)
        if settings.STATEMENT_SECONDS:
            connection.wait = partial(connection.wait, timeout=settings.STATEMENT_SECONDS + GRACE_SECONDS)
        return connection
