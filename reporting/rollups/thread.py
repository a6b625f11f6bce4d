"""The thread that keeps the buckets up to date, every minute: in one process of a machine, in one of all at a time."""

import logging
import time

from django.db import Error, connection

from collect.backfills.walk import making_way
from reporting.rollups.running import Rollup
from runtime import failures, outage
from runtime.hub import OwnThread
from runtime.periodic import Busy, Periodic, Right

logger = logging.getLogger(__name__)

PERIOD_SECONDS, FIRST_SECONDS = 60.0, 20.0
# After counting, the thread rests for so many times as long: the database is there for senders first.
# But not for longer than this: what is marked waits meanwhile.
REST, LONGEST_REST_SECONDS = 10, 600.0


class Turns:
    """Takes the turns of a worker's thread."""

    def __init__(self) -> None:
        self._rollup = Rollup()
        self._right = Right("rollup")
        self._rests_until = 0.0
        self._fails = False

    def turn(self) -> None:
        """Count until nothing is left. If that fails, which is logged once, the next turn tries again."""
        if outage.database.is_open or time.monotonic() < self._rests_until or not self._right.is_ours():
            return
        began = time.monotonic()
        try:
            self._count()
        except Busy:
            return
        except Error as error:
            connection.close()
            if not self._fails:
                logger.warning("the rollup has to wait", extra={"reason": failures.reason(error)})
            self._fails = True
        else:
            self._fails = False
        took = time.monotonic() - began
        self._rests_until = time.monotonic() + min(REST * took, LONGEST_REST_SECONDS) - PERIOD_SECONDS

    def _count(self) -> None:
        has_more = True
        while has_more:
            with making_way():
                began = time.monotonic()
                has_more = self._rollup.step().has_more
            if has_more:
                time.sleep(time.monotonic() - began)


_turns = Turns()


# SQLite would hold up the requests of the worker meanwhile.
@OwnThread(lambda: connection.vendor == "sqlite")
def _turn() -> None:
    _turns.turn()
    if connection.vendor == "sqlite":
        connection.close()


thread = Periodic("rollup", _turn, PERIOD_SECONDS, delay=FIRST_SECONDS, keeps_connections=True)
