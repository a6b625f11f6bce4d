"""The thread that keeps a worker's `directory` fresh, and writes when keys were last used, denied or expired.

In a process without it, requests ask the database themselves.
"""

from itertools import count

from django.db import connection

from keys import denials, directory, history
from runtime.hub import OwnThread
from runtime.periodic import Periodic

PERIOD_SECONDS = 2.0
# The history is written once in so many turns, and may be that far behind.
TURNS_OF_HISTORY = 15


class Housekeeper:
    """Takes the thread's turns and counts them, because the history is written in some of them only."""

    def __init__(self) -> None:
        self._numbers = count()

    def turn(self) -> None:
        """Refresh the directory, and every `TURNS_OF_HISTORY` turns write the history.

        Raises `django.db.Error` where the history cannot be written.
        """
        is_due = next(self._numbers) % TURNS_OF_HISTORY == 0
        if directory.housekeep() and is_due:
            _write_history()


# SQLite would hold up the requests of the worker while it waits to write.
@OwnThread(lambda: connection.vendor == "sqlite")
def _write_history() -> None:
    try:
        denials.write()
        history.note_expired()
    finally:
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            connection.close()


thread = Periodic("keys-housekeeping", Housekeeper().turn, PERIOD_SECONDS, keeps_connections=True)
