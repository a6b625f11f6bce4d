"""Calls that wait in C, kept off gevent's hub.

psycopg waits cooperatively. sqlite3 does not, and while it waits for a disk or a lock no other request of the worker
would be served.
"""

import sys
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, ParamSpec, TypeVar, cast

Args = ParamSpec("Args")
Result = TypeVar("Result")


def is_gevent() -> bool:
    """Tell whether this process runs on gevent: its worker patches the standard library before it loads us."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


class OwnThread:
    """A decorator: under gevent the functions run in one real thread of their own, elsewhere in the caller's.

    Always in the same thread, since Django's connections belong to theirs. Whether there is need for it is asked at the
    first call; `is_needed` may name a further condition.
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
        """Return `function`, to be called as before."""

        def guarded(*args: Args.args, **kwargs: Args.kwargs) -> tuple[Result | None, Exception | None]:
            try:
                return function(*args, **kwargs), None
            except Exception as error:  # carried over to the caller; gevent would print it besides
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
