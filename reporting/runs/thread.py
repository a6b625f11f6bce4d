"""The thread that has reports answered: in one process of a machine, by a process of their own.

A report may read for minutes and need much memory. In a worker it would hold up the senders of events, and take the
worker with it if the machine runs out of memory.
"""

import logging
import subprocess
import sys
import time

from django.conf import settings
from django.db import Error, connection

from reporting.runs import answering, asking
from runtime import failures, outage
from runtime.hub import OwnThread
from runtime.periodic import Periodic, Right

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
# How often runs that are over are looked through.
FORGET_SECONDS = 60.0
# After a process that failed, so long none is started.
PAUSE_SECONDS = 10.0


class Turns:
    """Takes the turns of a worker's thread. One process of a machine works, for as long as it lives."""

    def __init__(self) -> None:
        self._right = Right("reports")
        self._process: subprocess.Popen[bytes] | None = None
        self._rests_until = 0.0
        self._fails = False

    def turn(self) -> None:
        """Start a process if questions wait and none runs. If the database fails, which is logged once, try later."""
        if self._is_at_work() or time.monotonic() < self._rests_until:
            return
        if outage.database.is_open or not self._right.is_ours():
            return
        try:
            waits = _looked()
        except Error as error:
            if not self._fails:
                logger.warning("reports have to wait", extra={"reason": failures.reason(error)})
            self._fails = True
            return
        self._fails = False
        if waits:
            self._process = start()

    def _is_at_work(self) -> bool:
        """Tell whether the process runs; after one that failed, rest."""
        if self._process is None:
            return False
        status = self._process.poll()
        if status is None:
            return True
        self._process.communicate()
        self._process = None
        if status:
            logger.warning("the process of reports ended", extra={"status": status})
            self._rests_until = time.monotonic() + PAUSE_SECONDS
        return False

    def close(self) -> None:
        """Let another process of this machine work, when the one that answers has ended."""
        if self._process is not None:
            self._process.wait()
            self._process.communicate()
            self._process = None
        self._right.release()


class _Looking:
    """Looks whether questions wait, and now and then which runs need not be kept."""

    def __init__(self) -> None:
        self._forgets_at = 0.0

    def look(self) -> bool:
        """Return whether questions wait. Raises `django.db.Error`."""
        try:
            if time.monotonic() >= self._forgets_at:
                asking.forget()
                self._forgets_at = time.monotonic() + FORGET_SECONDS
            return bool(answering.open_runs())
        except Error:
            connection.close()
            raise
        finally:
            if connection.vendor == "sqlite":
                connection.close()


_looking = _Looking()


# SQLite would hold up the requests of the worker meanwhile. The process is started outside of it: gevent has it so.
@OwnThread(lambda: connection.vendor == "sqlite")
def _looked() -> bool:
    return _looking.look()


def start() -> "subprocess.Popen[bytes]":
    """Start the process that answers what waits. It ends with this one, whose end of the pipe it reads."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "answer_reports", "--until-input-ends"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, cwd=settings.BASE_DIR)  # noqa: S603  # our own command


thread = Periodic("reports", Turns().turn, PERIOD_SECONDS, delay=PERIOD_SECONDS, keeps_connections=True)
