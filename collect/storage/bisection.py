"""Keeps one bad row from failing its neighbours: a group is halved until the row that the database refuses is alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import Error

from collect.storage import store

Item = TypeVar("Item")
Result = TypeVar("Result")


def bisect(
    items: Sequence[Item],
    attempt: Callable[[Sequence[Item]], list[Result]],
    alone: Callable[[Item, Error], Result],
) -> list[Result]:
    """Return the results of `attempt`, one for each item, in their order.

    If the database refuses a group because of one of its rows, each half is attempted. `alone` gives the result of an
    item that is refused by itself. Raises every other `django.db.Error`; what was attempted before it stays done.
    """
    try:
        return attempt(items)
    except Error as error:
        if not store.is_poison(error):
            raise
        if len(items) == 1:
            return [alone(items[0], error)]
    middle = len(items) // 2
    return bisect(items[:middle], attempt, alone) + bisect(items[middle:], attempt, alone)
