"""Keeps calls that wait in C off gevent's hub.

psycopg waits cooperatively. sqlite3 does not: while it waited for a disk or a lock, the worker would serve no other
request.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, wraps
from typing import Any, ParamSpec, TypeVar, cast

Args = ParamSpec("Args")
Result = TypeVar("Result")
Item = TypeVar("Item")

# How long a request may work in one piece, and how long it then rests.
TURN_SECONDS, PAUSE_SECONDS = 0.005, 0.000_1


def is_gevent() -> bool:
    """Tell whether this process runs on gevent: its worker patches the standard library before it loads us."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def taking_turns(items: Iterable[Item], every: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Item]:
    """Yield the items, and let the other requests of the worker have their turn where that takes long.

    The clock is looked at after each `every` of them.
    """
    since = clock()
    for number, item in enumerate(items, 1):
        yield item
        if number % every == 0 and clock() - since > TURN_SECONDS:
            # Not for 0 seconds: gevent would go on with this request many times before it looks at its sockets.
            time.sleep(PAUSE_SECONDS)
            since = clock()


class OwnThread:
    """A decorator whose functions run in one real thread of their own under gevent, and elsewhere in the caller's.

    It is always the same thread, because a Django connection belongs to the thread that made it. Whether a thread is
    needed is decided at the first call; `is_needed` may give a further condition.
    """

    def __init__(self, is_needed: Callable[[], bool] = lambda: True) -> None:
        self._is_needed = is_needed

    @cached_property
    def _pool(self) -> Any:
        if not (is_gevent() and self._is_needed()):
            return None
        from gevent.threadpool import ThreadPool  # noqa: PLC0415  # only where gevent is in use

        return ThreadPool(1)

    def __call__(self, function: Callable[Args, Result]) -> Callable[Args, Result]:
        """Return a function that is called as `function` is, and raises what it raises."""

        def guarded(*args: Args.args, **kwargs: Args.kwargs) -> tuple[Result | None, Exception | None]:
            try:
                return function(*args, **kwargs), None
            except Exception as error:  # raised again in the caller's thread; gevent would also print it
                return None, error

        @wraps(function)
        def call(*args: Args.args, **kwargs: Args.kwargs) -> Result:
            if self._pool is None:
                return function(*args, **kwargs)
            result, error = self._pool.apply(guarded, args, kwargs)
            if error is not None:
                raise error
            return cast(Result, result)

        return call
