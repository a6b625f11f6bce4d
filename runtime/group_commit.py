"""Group commit: requests that wait at the same moment share one call, and each is answered after it.

There is no timer: a lone request does not wait for others, and a crowd forms by itself while a call runs.
It must never answer a request before its call has returned, nor hold more than it was told to.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from runtime.refusals import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(Generic[Item, Result]):
    """The items of the requests that share a call, and later their results or its error."""

    __slots__ = ("ended", "error", "items", "results")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.results: list[Result] = []
        self.error: BaseException | None = None
        # One for all of them: to wake each request by a lock of its own is more work than what it waits for.
        self.ended = threading.Event()


class Group(Generic[Item, Result]):
    """Runs `handle(items) -> results` (same order, same length) for many requests at a time, in one thread.

    At most `limit` items wait; one call is given at most `size` of them, or one request's whole list.
    Until `start` is called, as in a command or a test, `submit` calls `handle` in the caller's own thread.
    """

    def __init__(self, handle: Callable[[Sequence[Item]], list[Result]], *, limit: int, size: int) -> None:
        self._handle = handle
        self._limit = limit
        self._size = size
        # Whole requests, in the order in which they came. Requests join the last one.
        self._calls: deque[_Call[Item, Result]] = deque()
        self._waiting = 0
        self._changing = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread that makes the calls; once a process, after it has forked."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
            self._thread.start()

    def submit(self, items: Sequence[Item]) -> list[Result]:
        """Return the results of `items`, in their order.

        Raises `Unavailable` when too many wait or when the shared call failed.
        """
        if self._thread is None:
            return self._handle(items)
        with self._changing:
            if self._waiting + len(items) > self._limit:
                raise Unavailable("Too many events are waiting, try again")
            self._waiting += len(items)
            call = self._call_for(len(items))
            start = len(call.items)
            call.items.extend(items)
        self._wake.set()
        call.ended.wait()
        if call.error is not None:
            raise Unavailable from call.error
        return call.results[start : start + len(items)]

    def _call_for(self, number: int) -> _Call[Item, Result]:
        """Return the last call if it has room for so many items, otherwise a new one."""
        if not self._calls or len(self._calls[-1].items) + number > self._size:
            self._calls.append(_Call())
        return self._calls[-1]

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while (call := self._next()) is not None:
                self._make(call)

    def _next(self) -> _Call[Item, Result] | None:
        with self._changing:
            return self._calls.popleft() if self._calls else None

    def _make(self, call: _Call[Item, Result]) -> None:
        try:
            call.results = self._handle(call.items)
        except BaseException as error:  # whatever it is, the requests must not wait for ever
            call.error = error
        with self._changing:
            self._waiting -= len(call.items)
        call.ended.set()
