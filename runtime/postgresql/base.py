"""Django's PostgreSQL backend: a connection waits no longer than a limit, and values are written as we read them.

The server enforces `statement_timeout` and the other bounds. A server that is stopped, or behind a network that drops
packets, enforces nothing, and a request would wait for as long as the kernel lets it.
"""

from functools import partial
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

# The time that is waited beyond the server's `statement_timeout`, so that its error, which says more, comes first.
GRACE_SECONDS = 1.0


# How values are written, whatever the database or the role has set. psycopg reads no other DateStyle or IntervalStyle;
# with fewer digits a float would be another number, and with the other two a text or an array that is sent would be.
_FORMS = (
    "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; "
    "SET standard_conforming_strings = on; SET array_nulls = on"
)


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
            connection.execute(f"{_FORMS}; {_bounds()}")
        except BaseException:
            connection.close()
            raise
        return connection


def _bounds() -> str:
    """Return the SQL that sets the bounds, in milliseconds, but those that the client's own options have set.

    These come from DATABASE_URL, PGOPTIONS or a service file. PostgreSQL has read them, so that nobody here has to.
    """
    bounds = {
        "statement_timeout": settings.STATEMENT_SECONDS * 1000,
        "lock_timeout": settings.STATEMENT_SECONDS * 800,
        "idle_in_transaction_session_timeout": 60_000,
        # Older versions do not have these two.
        "transaction_timeout": 0,
        "idle_session_timeout": 0,
    }
    ours = ", ".join(f"('{name}', '{value}')" for name, value in bounds.items())
    return (
        f"SELECT set_config(name, value, false) FROM (VALUES {ours}) AS ours(name, value) "  # noqa: S608  # no input
        "JOIN pg_settings USING (name) WHERE source <> 'client'"
    )
