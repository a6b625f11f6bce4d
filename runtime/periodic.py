"""A thread for work that is repeated in the background, and a lock for work that one process may do at a time."""

import atexit
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import connections
from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0


class Periodic:
    """One background thread that calls `turn` every `seconds`, the first time after `delay` seconds.

    Start it after the process has forked. It survives whatever a turn raises, and always waits between two turns.
    With `keeps_connections` a turn finds the connections of the one before, if nothing failed on them: to open one
    costs milliseconds of CPU, in which a worker serves nobody.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[], object],
        seconds: float,
        delay: float = 0.0,
        *,
        keeps_connections: bool = False,
    ) -> None:
        self._name = name
        self._turn = turn
        self._seconds = seconds
        self._delay = delay
        self._keeps_connections = keeps_connections
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the thread, unless it is running."""
        with self._changing:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._stopping,), name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait, for `STOP_SECONDS` at most, until it has closed its connections."""
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
        """Take one turn. Every exception is caught and logged here, because none may end the thread."""
        try:
            self._turn()
            for connection in connections.all(initialized_only=True):
                # After a failure it may be unusable. To ask it would take a time-out of a database that is stopped.
                if connection.errors_occurred or not self._keeps_connections:
                    connection.close()
        except Exception:
            logger.exception("a turn of %s failed", self._name)
            connections.close_all()


class Right:
    """The right to do some work on this machine. The process that gets it first keeps it for as long as it lives."""

    def __init__(self, name: str) -> None:
        """Name the work, as its lock file in `VAR_DIR` is called."""
        self._name = name
        self._held = ExitStack()
        self._is_held = False

    def is_ours(self) -> bool:
        """Tell whether this process has the right, which it gets if nobody has it.

        In a directory that this user may not write to no lock can be held; the work has to bear that two do it.
        """
        if not self._is_held:
            with suppress(OSError):
                try:
                    self._held.enter_context(alone(Path(settings.VAR_DIR) / "locks" / f"{self._name}.lock"))
                except Busy:
                    return False
                self._is_held = True
        return True

    def release(self) -> None:
        """Let another process have it."""
        self._held.close()
        self._is_held = False


class Busy(Exception):  # noqa: N818  # not an error: somebody else is at it
    """Another process, or another caller in this one, holds the lock."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`. The kernel releases the lock of a process that dies.

    Raises `Busy` while another process, or another caller in this one, holds it, and OSError where no file can be made.
    """
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise Busy from None
    # Whoever holds it until the process ends lets it go before the interpreter takes modules apart.
    atexit.register(lock.release)
    try:
        yield
    finally:
        atexit.unregister(lock.release)
        lock.release()
