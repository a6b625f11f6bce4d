"""Moves what waits in the spool to the database, in the order in which it came, by one process at a time.

A crash at any moment loses nothing and doubles nothing: an event leaves the spool after its commit in the database,
and is stored once however often it is taken.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from django.conf import settings
from django.db import Error, connection

from collect.storage import ingest, late, spool
from collect.storage.ledger import tally
from collect.storage.ledger.tally import Endpoint
from collect.storage.outcomes import CODES, Outcome, Written
from collect.storage.rejections import Record
from collect.storage.rows import Arrival
from collect.storage.spool import Spooled
from runtime import failures, metrics, outage
from runtime.periodic import Busy, Periodic, alone

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
# Events in one statement: large enough to be fast, small enough to pass within the statement's bound.
STEP = 500
# How many waiting events are tried, taken at random, to see whether the database takes any.
SAMPLE = 16


def turn() -> AbstractContextManager[None]:
    """Return the right to drain, which one process holds at a time. To enter it raises `Busy` if another has it."""
    return alone(Path(f"{settings.SPOOL_PATH}.lock"))


def drain(step: int = STEP, *, others_are_taken: bool = False) -> int:
    """Empty the spool and return the number of events that were moved. What the database refuses is set aside.

    If it refuses all of a step, the events of the step are at fault only if it takes others: some of those that wait,
    or as `others_are_taken` says. Raises `Busy` while another process drains, and `django.db.Error` where the database
    or the spool fails or takes nothing. What was moved by then has left the spool, and the rest waits.
    """
    with turn():
        work = _Work()
        try:
            while spooled := spool.take(step):
                work.settle(spooled, others_are_taken=others_are_taken)
                others_are_taken = False
        finally:
            for reason, events in work.set_aside.items():
                logger.error("spooled events were set aside", extra={"events": events, "reason": reason})
    return work.moved


class _Work:
    """The work of one call of `drain`, with the events that it has moved, and set aside by reason."""

    def __init__(self) -> None:
        self.moved = 0
        self.set_aside: Counter[str] = Counter()

    def settle(self, spooled: Sequence[Spooled], *, others_are_taken: bool) -> None:
        """Move the events or set them aside. Raises `django.db.Error` if the database fails or takes nothing."""
        try:
            self._move(spooled)
        except Error as error:
            if failures.is_lost(error) or not (others_are_taken or self._takes_others(error)):
                raise
            # Taken anew: the one that was moved may be among them.
            for one in spool.take(len(spooled)):
                if (fault := self._fault(one)) is not None:
                    self._set_aside(one, failures.reason(fault))

    def _takes_others(self, error: Error) -> bool:
        """Tell whether the database takes one of the waiting events, tried at random, while it refuses others.

        If it seems to be away none is tried: each could cost a time-out.
        """
        return not failures.is_away(error) and any(self._fault(one) is None for one in spool.sample(SAMPLE))

    def _fault(self, one: Spooled) -> Error | None:
        """Move one event, or return why the database refuses it.

        Raises `django.db.Error` if that can be reached no more. What looks like an outage, such as a lock that does not
        come, is the event's own fault only if another one passes meanwhile and the event is refused again.
        """
        fault = self._try(one)
        if fault is None or not failures.is_away(fault):
            return fault
        others = spool.sample(2, but=one.place)
        if others and all(self._try(other) is not None for other in others):
            raise fault
        return self._try(one)

    def _try(self, one: Spooled) -> Error | None:
        try:
            self._move([one])
        except Error as error:
            if failures.is_lost(error):
                raise
            return error
        return None

    def _move(self, spooled: Sequence[Spooled]) -> None:
        """Store the events and take them out of the spool. Raises `django.db.Error`; then all of them stay there."""
        results = ingest.write([one.arrival for one in spooled])
        pairs = list(zip(spooled, results, strict=True))
        left = [(one, written.reason) for one, written in pairs if written.outcome is Outcome.UNAVAILABLE]
        left += self._not_kept([pair for pair in pairs if pair[1].outcome in CODES])
        for one, reason in left:
            self._set_aside(one, reason)
        places = {one.place for one, _ in left}
        settled = [(one.arrival, written) for one, written in pairs if one.place not in places]
        self._note(settled)
        spool.discard(spooled)
        self.moved += len(settled)
        for arrival, written in settled:
            _count(arrival, written.outcome)

    def _note(self, settled: Sequence[tuple[Arrival, Written]]) -> None:
        """Note that they came late, before they leave the spool: what a crash has moved again is noted again.

        Raises `django.db.Error` if the database can be reached no more. Another failure is no fault of the events.
        """
        try:
            late.note(late.SPOOL, [arrival for arrival, _ in settled], [written for _, written in settled])
        except Error as error:
            if failures.is_lost(error):
                raise
            logger.warning("late events could not be noted", extra={"reason": failures.reason(error)})

    def _not_kept(self, refused: Sequence[tuple[Spooled, Written]]) -> list[tuple[Spooled, str]]:
        """Keep the refused events as rejections; return those of which the database takes none, each with the reason.

        One of them, for example, is an event whose partner is missing from a restored database. Raises
        `django.db.Error` if the database is away.
        """
        try:
            ingest.keep([Record.of_written(one.arrival, written) for one, written in refused])
        except Error as error:
            if failures.is_away(error):
                raise
            if len(refused) == 1:
                ((one, written),) = refused
                return [(one, written.reason or failures.reason(error))]
            return [left for pair in refused for left in self._not_kept([pair])]
        return []

    def _set_aside(self, one: Spooled, reason: str) -> None:
        spool.set_aside(one, reason)
        self.set_aside[reason] += 1
        _count(one.arrival, Outcome.SET_ASIDE)


def _count(arrival: Arrival, outcome: Outcome) -> None:
    code = CODES.get(outcome, "")
    tally.move(arrival.row, Endpoint.DRAIN, outcome, code)
    metrics.DRAINED.labels(outcome).inc()
    if code:
        metrics.REJECTIONS.labels(code).inc()


class Drainer:
    """Takes the turns of a worker's thread. The worker that has the right to drain works, and the others look on."""

    def __init__(self) -> None:
        self._head: int | None = None
        self._fails = False
        # When the database, which could be reached, first refused all that it was given.
        self._doubted_at: float | None = None

    def turn(self) -> None:
        """Drain what waits. If the database or the spool fails, which is logged once, the next turn tries again."""
        try:
            self.round()
        except Error as error:
            connection.close()
            if not self._fails:
                logger.exception("the spool cannot be drained")
            self._fails = True
            self._doubted_at = None if failures.is_lost(error) else self._doubted_at or time.monotonic()
        else:
            self._fails = False
            self._doubted_at = None

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
            moved = drain(others_are_taken=self._others_are_taken())
        except Busy:
            if before is not None and head > before:
                outage.end()
            return
        outage.end()
        logger.warning("spool drained", extra={"events": moved})

    def _others_are_taken(self) -> bool:
        """Tell whether this worker has stored events of its senders since the database refused all that waits."""
        return self._doubted_at is not None and outage.writing.closed_at > self._doubted_at


thread = Periodic("spool-drain", Drainer().turn, PERIOD_SECONDS, delay=PERIOD_SECONDS)
