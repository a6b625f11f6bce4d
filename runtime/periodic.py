"""Work that a process does again and again in the background, and work that only one process may do at a time."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections
from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0


class Periodic:
    """One background thread that calls `turn` every `seconds`, the first time after `delay` seconds.

    It is started after a process has forked. It survives whatever a turn raises, and never spins.
    """

    def __init__(self, name: str, turn: Callable[[], object], seconds: float, delay: float = 0.0) -> None:
        self._name = name
        self._turn = turn
        self._seconds = seconds
        self._delay = delay
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._changing:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._stopping,), name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait until it has closed its connections."""
        with self._changing:
            self._stopping.set()
            if self._thread is not None:
                self._thread.join(STOP_SECONDS)

    def _run(self, stopping: threading.Event) -> None:
        wait = self._delay
        while not stopping.wait(wait):
            self._take_turn()
            wait = self._seconds
        connections.close_all()

    def _take_turn(self) -> None:
        """The boundary behind which nothing may end the thread."""
        try:
            self._turn()
            for connection in connections.all(initialized_only=True):
                # Closes what a failure left unusable; else as CONN_MAX_AGE says, like the end of a request.
                connection.close_if_unusable_or_obsolete()
        except Exception:
            logger.exception("a turn of %s failed", self._name)
            connections.close_all()


class Busy(Exception):  # noqa: N818  # not an error: somebody else is at it
    """Another process holds the lock."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, which the kernel takes back from a process that dies.

    Raises `Busy` while another process, or another caller in this one, holds it, and OSError where no file can be made.
    """
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise Busy from None
    try:
        yield
    finally:
        lock.release()
