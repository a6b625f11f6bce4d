"""Calls that wait in C, kept off gevent's hub.

psycopg waits cooperatively; sqlite3 does not, and while it waits for a disk or a lock no other request of the
worker would be served.
"""

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

Args = ParamSpec("Args")
Result = TypeVar("Result")


def is_gevent() -> bool:
    """Whether this process runs on gevent: its worker patches the standard library before it loads us."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def off_the_hub(function: Callable[Args, Result]) -> Callable[Args, Result]:
    """`function`, run in one real thread of its own under gevent, elsewhere as it is.

    Always the same thread, since Django's connections belong to theirs.
    """
    if not is_gevent():
        return function
    from gevent.threadpool import ThreadPool  # noqa: PLC0415  # only where gevent is in use

    pool = ThreadPool(1)

    def guarded(*args: Args.args, **kwargs: Args.kwargs) -> tuple[Result | None, Exception | None]:
        try:
            return function(*args, **kwargs), None
        except Exception as error:  # carried over to the caller; gevent would print it besides
            return None, error

    def call(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        result, error = pool.apply(guarded, args, kwargs)
        if error is not None:
            raise error
        return cast(Result, result)

    return call
