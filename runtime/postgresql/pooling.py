"""Whether a pooler between the server and PostgreSQL hands its connections out by the transaction, or the statement.

Then a prepared statement of one worker may be run by another under the same name, and a time-out that was set is left
on a connection of somebody else.
"""

from django.db.backends.base.base import BaseDatabaseWrapper


def is_by_transaction(database: BaseDatabaseWrapper) -> bool:
    """Tell whether two connections, open at the same time, do not have one process of PostgreSQL each.

    Raises `django.db.Error`.
    """
    first, second = database.copy(), database.copy()
    try:
        # In this order, a pooler that hands out its connections in turn gives itself away too, however many it has.
        asked = [(one, _process(one)) for one in (first, second, second, first)]
    finally:
        first.close()
        second.close()
    return any((one is other) != (process == another) for one, process in asked for other, another in asked)


def _process(database: BaseDatabaseWrapper) -> int:
    """Return the id of the process of PostgreSQL that answers, without leaving a prepared statement behind."""
    database.ensure_connection()
    with database.wrap_database_errors:
        process: int = database.connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()[0]
    return process
