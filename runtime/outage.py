"""What this process knows of the database's outages: every caller learns of one from the first that met it."""

from django.db import Error

from runtime import failures
from runtime.circuit import Circuit

# How long nothing is tried after a failure, unless a success is seen before. It is longer than a turn of the thread
# that checks the database can take to fail (its period, and 5 s of the database's timeouts).
RETRY_SECONDS = 10.0

# Open while the database cannot be reached or read.
database = Circuit("the database", RETRY_SECONDS)
# Open while the database takes no events. A lock, a full disk or a commit that never returns prevents writes while
# reads still work; so a read that works does not close it.
writing = Circuit("the database for events", RETRY_SECONDS)


def begin(error: Error) -> None:
    """Note that a write failed with `error`. It is an outage only if other events could not be written either.

    If the database could not be reached, reads leave it alone too.
    """
    if failures.is_away(error):
        writing.open(error)
    if failures.is_lost(error):
        database.open(error)


def end() -> None:
    """Note that a write worked."""
    database.close()
    writing.close()
