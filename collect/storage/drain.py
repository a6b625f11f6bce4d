"""Moves what waits in the spool to the database, in the order in which it came, by one process at a time.

A crash at any moment loses nothing and doubles nothing: an event leaves the spool after its commit in the database,
and is stored once however often it is taken.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from django.conf import settings
from django.db import Error, connection

from collect.storage import ingest, rejections, spool
from collect.storage.bisection import bisect
from collect.storage.outcomes import Outcome
from collect.storage.spool import Spooled
from runtime import metrics, outage
from runtime.periodic import Busy, Periodic, alone

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
# Events in one statement: large enough to be fast, small enough to pass within the statement's bound.
STEP = 500


def turn() -> AbstractContextManager[None]:
    """Return the right to drain, which one process holds at a time. To enter it raises `Busy` if another has it."""
    return alone(Path(f"{settings.SPOOL_PATH}.lock"))


def drain(step: int = STEP) -> int:
    """Empty the spool and return the number of events that were moved. What the database refuses is set aside.

    Raises `Busy` while another process drains, and `django.db.Error` where the database or the spool fails. What was
    moved by then has left the spool, and the rest waits.
    """
    moved = 0
    with turn():
        while spooled := spool.take(step):
            moved += sum(bisect(spooled, _move, _set_aside))
    return moved


def _move(spooled: Sequence[Spooled]) -> list[bool]:
    """Store the arrivals and take them out of the spool; return for each that it was moved."""
    results = ingest.store_now([one.arrival for one in spooled])
    spool.discard(spooled)
    rejections.count_written(results)
    for outcome, number in Counter(result.outcome for result in results).items():
        metrics.DRAINED.labels(outcome).inc(number)
    return [True] * len(spooled)


def _set_aside(one: Spooled, error: Error) -> bool:
    """Set aside an event of which the database takes neither the row nor a rejection.

    This happens, for example, when its partner is missing from a restored database.
    """
    spool.set_aside(one, str(error))
    logger.error("a spooled event was set aside", exc_info=error)
    metrics.DRAINED.labels(Outcome.SET_ASIDE).inc()
    return False


class Drainer:
    """Takes the turns of a worker's thread. The worker that has the right to drain works, and the others look on."""

    def __init__(self) -> None:
        self._head: int | None = None
        self._fails = False

    def turn(self) -> None:
        """Drain what waits. If the database or the spool fails, which is logged once, the next turn tries again."""
        try:
            self.round()
        except Error:
            connection.close()
            if not self._fails:
                logger.exception("the spool cannot be drained")
            self._fails = True
        else:
            self._fails = False

    def round(self) -> None:
        """Drain what waits. Once events leave the spool, by whichever process, the database is known to be back.

        Raises `django.db.Error` where the database or the spool fails.
        """
        head, before = spool.head(), self._head
        self._head = head
        if head is None:
            # Nothing waits that could show whether the database is back; the keys' thread finds that out.
            outage.writing.close()
            return
        try:
            moved = drain()
        except Busy:
            if before is not None and head > before:
                outage.end()
            return
        outage.end()
        logger.warning("spool drained", extra={"events": moved})


thread = Periodic("spool-drain", Drainer().turn, PERIOD_SECONDS, delay=PERIOD_SECONDS)
