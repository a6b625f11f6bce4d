"""Django's PostgreSQL backend, whose connections never wait for an answer without end.

`statement_timeout` is kept by the server. One that is stopped, or behind a network that swallows packets, keeps
nothing, and a request would wait for as long as the kernel lets it.
"""

from functools import partial
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

# What the server is given beyond its own `statement_timeout`, so that its error, which says more, comes first.
GRACE_SECONDS = 1.0


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection on which each wait ends after `STATEMENT_SECONDS` and a little, with an OperationalError."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection as Django makes it, bounded."""
        connection = super().get_new_connection(conn_params)
        if settings.STATEMENT_SECONDS:
            connection.wait = partial(connection.wait, timeout=settings.STATEMENT_SECONDS + GRACE_SECONDS)
        return connection
