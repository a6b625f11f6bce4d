"""What this process knows of the database's outages: every caller learns of one from the first that met it."""

from django.db import Error, InterfaceError

from runtime.circuit import Circuit

# How long nothing is tried after a failure, unless a success is seen before. It is longer than a turn of the thread
# that checks the database can take to fail (its period, and 5 s of the database's timeouts).
RETRY_SECONDS = 10.0

# Open while the database cannot be reached or read.
database = Circuit("the database", RETRY_SECONDS)
# Open while the database takes no events. A lock, a full disk or a commit that never returns prevents writes while
# reads still work; so a read that works does not close it.
writing = Circuit("the database for events", RETRY_SECONDS)

# SQLSTATEs of a connection that failed, and of a server that stops or starts:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOST = ("08", "57P")


def is_on() -> bool:
    """Tell whether there is an outage of either kind."""
    return database.is_open or writing.is_open


def begin(error: Error) -> None:
    """Note that a write failed with `error`. If the database could not be reached, reads leave it alone too."""
    writing.open(error)
    if _is_lost(error):
        database.open(error)


def end() -> None:
    """Note that a write worked."""
    database.close()
    writing.close()


def _is_lost(error: Error) -> bool:
    """Tell whether the database could not be reached. Return False if it answered with an error."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or isinstance(error, InterfaceError) or sqlstate.startswith(_LOST)
