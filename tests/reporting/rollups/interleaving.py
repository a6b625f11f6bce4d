"""Runs work in a thread with a connection of its own, and stops or ends it before a chosen statement or commit."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import OperationalError, connection, connections

SECONDS = 60.0


class Crash(BaseException):
    """The process dies here: nothing catches it, and what was not committed is gone."""


class _Points:
    """Counts the statements and commits of the thread's connection, and calls `reached` before the `at`-th."""

    def __init__(self, at: int, reached: Callable[[bool], None]) -> None:
        self._left = at
        self._reached = reached

    def pass_one(self, *, is_commit: bool) -> None:
        self._left -= 1
        if self._left == -1:
            self._reached(is_commit)

    def execute(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.pass_one(is_commit=False)
        return execute(*arguments)

    @contextmanager
    def watched(self) -> Iterator[None]:
        connection.ensure_connection()
        watched: Any = connection
        commit = watched._commit

        def watched_commit() -> None:
            self.pass_one(is_commit=True)
            commit()

        watched._commit = watched_commit
        try:
            with connection.execute_wrapper(self.execute):
                yield
        finally:
            del watched._commit


class _Worker(threading.Thread):
    def __init__(self, call: Callable[[], object], points: _Points) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._points = points
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with self._points.watched():
                self._call()
        # The one who waits is told.
        except BaseException as error:
            self.failure = error
        finally:
            with suppress(Exception, Crash):
                connections.close_all()


def crashed(call: Callable[[], object], at: int) -> None:
    """Run the call as a process that dies before its `at`-th statement or commit, or does not come so far."""

    def die(is_commit: bool) -> None:
        # Only a failure of the database lets Django give the transaction back, as the server does for the dead.
        raise OperationalError("the connection died") if is_commit else Crash

    worker = _Worker(call, _Points(at, die))
    worker.start()
    worker.join(SECONDS)
    assert not worker.is_alive()
    if worker.failure is not None and not _is_ours(worker.failure):
        raise worker.failure


def _is_ours(failure: BaseException) -> bool:
    return isinstance(failure, Crash) or "the connection died" in str(failure)


def overlapped(call: Callable[[], object], at: int, meanwhile: Callable[[], object]) -> None:
    """Run the call, and `meanwhile` while it stands before its `at`-th statement or commit, or after its end."""
    stands, goes_on = threading.Event(), threading.Event()

    def stand(_is_commit: bool) -> None:
        stands.set()
        assert goes_on.wait(SECONDS)

    worker = _Worker(call, _Points(at, stand))
    worker.start()
    while worker.is_alive() and not stands.wait(0.001):
        pass
    try:
        meanwhile()
    finally:
        goes_on.set()
        worker.join(SECONDS)
    assert not worker.is_alive()
    if worker.failure is not None:
        raise worker.failure
