"""The thread that keeps the `directory` of a worker fresh, and writes when keys were last used and what became of them.

Without it requests ask the database for themselves.
"""

from itertools import count

from keys import denials, directory, history
from runtime.periodic import Periodic

PERIOD_SECONDS = 2.0
# How many turns the history may be behind.
TURNS_OF_HISTORY = 15


class Housekeeper:
    """Takes the turns, and counts them."""

    def __init__(self) -> None:
        self._numbers = count()

    def turn(self) -> None:
        """Refresh the directory; every so often write the history. Raises `django.db.Error`."""
        is_due = next(self._numbers) % TURNS_OF_HISTORY == 0
        if directory.housekeep() and is_due:
            denials.write()
            history.note_expired()


thread = Periodic("keys-housekeeping", Housekeeper().turn, PERIOD_SECONDS)
