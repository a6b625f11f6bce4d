"""The thread that keeps the `directory` of a worker fresh, and writes when keys were last used and what became of them.

One per process, started after the fork. It must survive every failure of the database, and never spin.
"""

import logging
import threading
from itertools import count

from django.db import connection

from keys import denials, directory, history

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 2.0
# How many rounds the history may be behind.
ROUNDS_OF_HISTORY = 15
STOP_SECONDS = 10.0


class Housekeeper:
    """Starts and stops the thread, which has a database connection of its own."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._changing:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping,), name="keys-housekeeping", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait until it has closed its connection."""
        with self._changing:
            self._stopping.set()
            if self._thread is not None:
                self._thread.join(STOP_SECONDS)

    def _run(self, stopping: threading.Event) -> None:
        for number in count():
            self._round(writes_history=number % ROUNDS_OF_HISTORY == 0)
            if stopping.wait(PERIOD_SECONDS):
                break
        connection.close()

    def _round(self, *, writes_history: bool) -> None:
        """The boundary behind which nothing may end the thread: without it requests ask for themselves."""
        try:
            if directory.housekeep() and writes_history:
                denials.write()
                history.note_expired()
            # Closes what a failure left unusable; else as CONN_MAX_AGE says, like at the end of a request.
            connection.close_if_unusable_or_obsolete()
        except Exception:
            logger.exception("keys: a round of housekeeping failed")
            connection.close()


shared = Housekeeper()
start = shared.start
stop = shared.stop
