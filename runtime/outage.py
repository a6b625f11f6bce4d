"""What of the database is away, as this process has seen it: all learn of an outage from the first that met it."""

from django.db import Error, InterfaceError

from runtime.circuit import Circuit

# How long what failed is left alone, unless it is seen to work before. Longer than a turn of the thread that looks may
# take to fail (its period, and 5 s of the database's timeouts).
RETRY_SECONDS = 10.0

# Whether the database can be reached and read.
database = Circuit("the database", RETRY_SECONDS)
# Whether it takes events. A lock or a full disk prevents that while it can be read.
writing = Circuit("writing to the database", RETRY_SECONDS)

# SQLSTATEs of a connection that failed, and of a server that stops or starts:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOST = ("08", "57P")


def is_on() -> bool:
    """Tell whether events should not wait for the database now."""
    return database.is_open or writing.is_open


def begin(error: Error) -> None:
    """Note that a write failed with `error`."""
    (database if _is_lost(error) else writing).open(error)


def end() -> None:
    """Note that a write worked."""
    database.close()
    writing.close()


def _is_lost(error: Error) -> bool:
    """Tell whether the database could not be reached; else it answered, and refused."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or isinstance(error, InterfaceError) or sqlstate.startswith(_LOST)
