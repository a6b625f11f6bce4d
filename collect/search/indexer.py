"""The thread that writes the search index, a step a second, which keeps the database busy for a tenth of it.

One process of a machine has the right to, for as long as it lives. If another machine makes the same run, one is told.
"""

import logging
import time

from cachetools import TTLCache
from django.db import Error, IntegrityError, connection

from collect.models import SearchRun
from collect.search import runs
from runtime import failures
from runtime.hub import OwnThread
from runtime.periodic import Periodic, Right

logger = logging.getLogger(__name__)

PERIOD_SECONDS, FIRST_SECONDS = 1.0, 10.0
# How long a process rests that found nothing to do, unless it has added a run in the last minute: more may come soon.
REST_SECONDS, BUSY_SECONDS = 5.0, 60.0
# Runs that a turn checks: of the newest, in which events may still arrive that took long, and of all in their order.
NEWEST, OTHERS = 3, 5
# How long a run is left alone whose check failed, so that the others get their turn, and how many such are remembered.
PUT_OFF_SECONDS, PUT_OFF = 300.0, 1_000


class Indexer:
    """Takes the turns of a worker's thread: puts new events into the index, then late ones, then old ones."""

    def __init__(self) -> None:
        # The last run that was checked, in the order of all.
        self._checked = runs.FIRST
        # The runs whose check failed of late.
        self._put_off: TTLCache[int, bool] = TTLCache(PUT_OFF, PUT_OFF_SECONDS)
        self._fails = False
        self._rests_until = 0.0
        self._busy_until = 0.0
        self._right = Right("search")

    def turn(self) -> None:
        """Take a step, unless another process of the machine is at it. A failure is logged once."""
        if time.monotonic() < self._rests_until:
            return
        try:
            if not self._right.is_ours() or not (self.step() or time.monotonic() < self._busy_until):
                self._rests_until = time.monotonic() + REST_SECONDS
        except IntegrityError:
            # Another machine has made the same run.
            connection.close()
        except Error as error:
            connection.close()
            if not self._fails:
                logger.warning("the search index cannot be written", extra={"reason": failures.reason(error)})
            self._fails = True
        else:
            self._fails = False

    def step(self) -> bool:
        """Make one run, of the events that wait longest to be found; tell whether there was any to make.

        Raises `django.db.Error`.
        """
        if runs.append():
            self._busy_until = time.monotonic() + BUSY_SECONDS
            return True
        return any(map(self._check, self._to_check())) or runs.prepend()

    def _check(self, run: SearchRun) -> bool:
        """Check the run. One that cannot be is put off, unless the database is away: `step` would begin with it again.

        Raises `django.db.Error`.
        """
        try:
            return runs.check(run)
        except Error as error:
            if not failures.is_lost(error):
                self._put_off[run.pk] = True
            raise

    def _to_check(self) -> list[SearchRun]:
        due = SearchRun.objects.exclude(pk__in=list(self._put_off))
        suspects = list(due.filter(is_suspect=True).order_by("-first")[:OTHERS])
        newest = list(due.order_by("-first")[:NEWEST])
        others = list(due.filter(first__gt=self._checked).order_by("first")[:OTHERS])
        self._checked = others[-1].first if others else runs.FIRST
        return [*suspects, *newest, *others]


_indexer = Indexer()


# SQLite would hold up the requests of the worker while it reads.
@OwnThread(lambda: connection.vendor == "sqlite")
def _turn() -> None:
    _indexer.turn()
    if connection.vendor == "sqlite":
        connection.close()


thread = Periodic("search-index", _turn, PERIOD_SECONDS, delay=FIRST_SECONDS, keeps_connections=True)
