"""The thread that does what operators asked for: previews and replays of rejections, a step of each in turn."""

import logging
import time
from collections import Counter

from django.db import Error, connection

from collect.backfills.walk import making_way
from collect.mending import mends
from runtime import failures, outage
from runtime.hub import OwnThread
from runtime.periodic import Periodic, Right

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
# The pause after each step, in which live traffic finds the locks and the processor free.
PAUSE_SECONDS = 0.02
# How often in a row a step may take longer than a statement may, which holds up all mends, before its mend has failed.
TRIES = 5


class Runner:
    """Takes the turns of a worker's thread. One process of a machine works, for as long as it lives."""

    def __init__(self) -> None:
        self._right = Right("mending")
        self._fails = False
        # How often the next step of a mend has timed out.
        self._timed_out: Counter[int] = Counter()

    def turn(self) -> None:
        """Work until nothing is open. If the database fails, which is logged once, the next turn tries again."""
        if outage.database.is_open or not self._right.is_ours():
            return
        try:
            self.work()
        except Error as error:
            connection.close()
            if not self._fails:
                logger.warning("mends have to wait", extra={"reason": failures.reason(error)})
            self._fails = True
        else:
            self._fails = False

    def work(self) -> None:
        """Take each mend that is open a step further, again and again. Raises `django.db.Error` as `advance` does."""
        while ids := mends.open_mends():
            for id in ids:
                with making_way():
                    self._advance(id)
                time.sleep(PAUSE_SECONDS)

    def _advance(self, id: int) -> None:
        try:
            mends.advance(id)
        except Error as error:
            if not failures.is_timed_out(error):
                raise
            self._timed_out[id] += 1
            if self._timed_out[id] < TRIES:
                raise
            logger.exception("a mend failed")
            mends.fail(id, failures.reason(error))
        del self._timed_out[id]

    def close(self) -> None:
        """Let another process work."""
        self._right.release()


_runner = Runner()


# SQLite would hold up the requests of the worker meanwhile.
@OwnThread(lambda: connection.vendor == "sqlite")
def _turn() -> None:
    _runner.turn()
    if connection.vendor == "sqlite":
        connection.close()


thread = Periodic("mending", _turn, PERIOD_SECONDS, delay=PERIOD_SECONDS, keeps_connections=True)
