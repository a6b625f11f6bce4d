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


class _Ticket(Generic[Item, Result]):
    """A waiting request: its items, and later their results or the error of the call that they shared."""

    __slots__ = ("done", "error", "items", "results")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.results: list[Result] = []
        self.error: BaseException | None = None
        # A bare lock, taken here and freed when the results are there: the cheapest thing to wait on.
        self.done = threading.Lock()
        self.done.acquire()


class Group(Generic[Item, Result]):
    """Runs `handle(items) -> results` (same order, same length) for many requests at a time, in one thread.

    At most `limit` items wait; one call is given at most `size` of them, or one request's whole list.
    Until `start` is called, as in a command or a test, `submit` calls `handle` in the caller's own thread.
    """

    def __init__(self, handle: Callable[[Sequence[Item]], list[Result]], *, limit: int, size: int) -> None:
        self._handle = handle
        self._limit = limit
        self._size = size
        self._queue: deque[_Ticket[Item, Result]] = deque()
        self._waiting = 0
        self._counting = threading.Lock()
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
        with self._counting:
            if self._waiting + len(items) > self._limit:
                raise Unavailable("Too many events are waiting, try again")
            self._waiting += len(items)
        ticket: _Ticket[Item, Result] = _Ticket(items)
        self._queue.append(ticket)
        self._wake.set()
        ticket.done.acquire()
        if ticket.error is not None:
            raise Unavailable from ticket.error
        return ticket.results

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._call(self._take())

    def _take(self) -> list[_Ticket[Item, Result]]:
        """Take whole requests from the queue, up to the size of a call, but at least one."""
        taken = [self._queue.popleft()]
        count = len(taken[0].items)
        while self._queue and count + len(self._queue[0].items) <= self._size:
            taken.append(self._queue.popleft())
            count += len(taken[-1].items)
        return taken

    def _call(self, tickets: list[_Ticket[Item, Result]]) -> None:
        items = [item for ticket in tickets for item in ticket.items]
        try:
            results = self._handle(items)
        except BaseException as error:  # whatever it was, the waiting requests are told
            for ticket in tickets:
                ticket.error = error
        else:
            start = 0
            for ticket in tickets:
                ticket.results = results[start : start + len(ticket.items)]
                start += len(ticket.items)
        with self._counting:
            self._waiting -= len(items)
        for ticket in tickets:
            ticket.done.release()
