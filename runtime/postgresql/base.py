"""Django's PostgreSQL backend, with a limit on how long a connection waits for an answer.

The server enforces `statement_timeout` and the other bounds. A server that is stopped, or behind a network that drops
packets, enforces nothing, and a request would wait for as long as the kernel lets it.
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
        """Return a connection as Django makes it, with the bounds set. The limit is off if `STATEMENT_SECONDS` is 0.

        Raises `psycopg.Error`. A connection that cannot be bounded is not returned.
        """
        connection = super().get_new_connection(conn_params)
        try:
            if settings.STATEMENT_SECONDS:
                connection.wait = partial(connection.wait, timeout=settings.STATEMENT_SECONDS + GRACE_SECONDS)
            # Not as options of the start, which PgBouncer and other poolers refuse. Django sets autocommit once more.
            connection.autocommit = True
            connection.execute(_bounds(named=conn_params.get("options", "")))
        except BaseException:
            connection.close()
            raise
        return connection


def _bounds(named: str) -> str:
    """Return the SQL that sets the bounds, in milliseconds, but those that DATABASE_URL's own options name."""
    bounds = {
        "statement_timeout": settings.STATEMENT_SECONDS * 1000,
        "lock_timeout": settings.STATEMENT_SECONDS * 800,
        "idle_in_transaction_session_timeout": 60_000,
    }
    return "; ".join(f"SET {name} = {value}" for name, value in bounds.items() if name not in named)
