"""Keeps one bad row from failing its neighbours: a group is halved until the row that the database refuses is alone."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import Error

from runtime import failures

Item = TypeVar("Item")
Result = TypeVar("Result")
Attempt = Callable[[Sequence[Item]], list[Result]]
Alone = Callable[[Item, Error], Result]

# How many items may fail alone before one works. Then the fault is hardly theirs, and no more are tried.
MAX_DOUBTED = 8


def bisect(items: Sequence[Item], attempt: "Attempt[Item, Result]", alone: "Alone[Item, Result]") -> list[Result]:
    """Return the results of `attempt`, one for each item, in their order.

    If the database refuses a group, each half is attempted. `alone` gives the result of an item that is refused by
    itself: at once if its value is bad, and after any other error if some of the group worked. If nothing did, the
    fault may be the table's, such as a missing right, and the error is raised. So is that of a database that is away.
    What was attempted before an error stays done.
    """
    try:
        return attempt(items)
    except Error as error:
        if failures.is_away(error):
            raise
        return _Search(items, attempt, alone).results(error)


class _Search(Generic[Item, Result]):
    """The search for the items at fault in a group that the database has refused."""

    def __init__(self, items: Sequence[Item], attempt: "Attempt[Item, Result]", alone: "Alone[Item, Result]") -> None:
        self._items = items
        self._attempt = attempt
        self._alone = alone
        self._found: dict[int, Result] = {}
        # Items that failed alone with an error that does not tell whose fault it is.
        self._doubted: dict[int, Error] = {}
        self._works = False

    def results(self, error: Error) -> list[Result]:
        """Return the results of the whole group, which was refused with `error`. Raises what `bisect` does."""
        self._split(0, len(self._items), error)
        for index, doubted in self._doubted.items():
            if not self._works:
                raise doubted
            self._found[index] = self._alone(self._items[index], doubted)
        return [self._found[index] for index in range(len(self._items))]

    def _split(self, start: int, end: int, error: Error) -> None:
        if end - start == 1:
            self._refuse(start, error)
            return
        middle = (start + end) // 2
        for part_start, part_end in ((start, middle), (middle, end)):
            try:
                results = self._attempt(self._items[part_start:part_end])
            except Error as part_error:
                if failures.is_away(part_error):
                    raise
                self._split(part_start, part_end, part_error)
            else:
                self._works = True
                self._found.update(enumerate(results, part_start))

    def _refuse(self, index: int, error: Error) -> None:
        if failures.is_poison(error):
            self._found[index] = self._alone(self._items[index], error)
            return
        self._doubted[index] = error
        if not self._works and len(self._doubted) == MAX_DOUBTED:
            raise error
