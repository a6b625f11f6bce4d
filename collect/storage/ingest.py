"""Makes arrivals durable: they become rows, and those that the database refuses become rejections.

Nothing is acknowledged that is not committed to the database or, while the database cannot answer, to the spool. One
bad row never fails its neighbours.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from operator import attrgetter

from django.db import Error, connection

from collect.storage import late, outcomes, rejections, spool, store
from collect.storage.bisection import bisect
from collect.storage.ledger.tally import Tally
from collect.storage.outcomes import Outcome, Written
from collect.storage.rejections import Record
from collect.storage.rows import Arrival
from runtime import failures, metrics, outage
from runtime.group_commit import Group
from runtime.hub import OwnThread
from runtime.refusals import Unavailable

logger = logging.getLogger(__name__)

# Events that may wait in a worker, and events in one statement. A sender to a full queue is told so at once.
MAX_WAITING = 10_000
MAX_GROUP = 500
# Refused bodies, up to 64 KiB each, that may wait to be written down.
MAX_REFUSED_WAITING = 1_000

_received_at = attrgetter("row.received_at")


def submit(arrivals: Sequence[Arrival]) -> list[Written]:
    """Make the arrivals durable and return what became of each, in their order.

    Raises `Unavailable` when nothing could be made durable.
    """
    if not arrivals:
        return []
    try:
        return _arriving.submit(arrivals)
    except Unavailable:
        outcomes.count((arrival.tally, Outcome.UNAVAILABLE) for arrival in arrivals)
        raise


def reject(tally: Tally, records: Sequence[Record]) -> None:
    """Keep a request's refused bodies for the operator.

    If that fails, the copies are lost but the sender is still answered.
    """
    for code, number in Counter(record.code for record in records).items():
        outcomes.add(tally, Outcome.REJECTED, code, number)
    try:
        for start in range(0, len(records), MAX_GROUP):
            _refusing.submit(records[start : start + MAX_GROUP])
    except Unavailable:
        logger.exception("rejections could not be kept", extra={"events": len(records)})


def start() -> None:
    """Let requests share their commits from now on. Call it once in each worker, after the fork."""
    _arriving.start()
    _refusing.start()


def write(arrivals: Sequence[Arrival]) -> list[Written]:
    """Store the arrivals except those that the database refuses; return what became of each, in their order.

    A row whose values are bad is rejected. One that is refused for another reason while others are taken, as by a
    trigger, is unavailable, since that is not its sender's fault. Raises `django.db.Error`. It is safe to repeat.
    """
    return failures.again_if_cut(lambda: bisect(arrivals, _write, _refused))


def _write(arrivals: Sequence[Arrival]) -> list[Written]:
    return failures.again_if_rolled_back(lambda: store.write(arrivals))


def _refused(arrival: Arrival, error: Error) -> Written:
    reason = failures.reason(error)
    logger.warning("the database refused a row", extra={"reason": reason})
    outcome = Outcome.REJECTED if failures.is_poison(error) else Outcome.UNAVAILABLE
    return Written(outcome, arrival.row.id, reason=reason)


def keep(records: Sequence[Record]) -> None:
    """Keep the records as `rejections.keep` does, and try again what another try may cure. Raises `django.db.Error`.

    If the connection breaks in the very moment of the commit, they may be kept twice.
    """
    failures.again_if_cut(lambda: failures.again_if_rolled_back(lambda: rejections.keep(records)))


def _commit(arrivals: Sequence[Arrival]) -> list[Written]:
    start = time.perf_counter()
    results = _make_durable(arrivals)
    metrics.COMMIT_SECONDS.observe(time.perf_counter() - start)
    metrics.GROUP_EVENTS.observe(len(arrivals))
    outcomes.count((arrival.tally, written.outcome) for arrival, written in zip(arrivals, results, strict=True))
    return results


def _make_durable(arrivals: Sequence[Arrival]) -> list[Written]:
    if _is_away():
        return _spool(arrivals)
    try:
        results = write(arrivals)
    except Error as error:
        _drop_connection()
        if not spool.is_enabled():
            # What cannot be written can often be read, and there is no time-out to save anybody.
            outage.writing.open(error)
            raise Unavailable from error
        outage.begin(error)
        return _spool(arrivals)
    outage.writing.close()
    results = _settle(arrivals, results)
    _note_delay(arrivals, results)
    return results


def _note_delay(arrivals: Sequence[Arrival], results: Sequence[Written]) -> None:
    """Note what waited so long that a reader of the newest rows would miss it. If that fails it is only logged."""
    if min(map(_received_at, arrivals)) > datetime.now(UTC) - late.LATE_AFTER:
        return
    try:
        late.note(late.DELAY, arrivals, results)
    except Error as error:
        logger.warning(
            "late events could not be noted", extra={"events": len(arrivals), "reason": failures.reason(error)}
        )
        _drop_connection()


def _settle(arrivals: Sequence[Arrival], results: list[Written]) -> list[Written]:
    """Keep what the database refused, or has in another form, as rejections; return what became of each arrival.

    What no rejection can be kept of, or is not its sender's fault, is spooled. Where that cannot be either it is
    unavailable, alone: the others are stored by now, and an answer that nothing was stored would have them sent again.
    """
    left = [index for index, written in enumerate(results) if written.outcome in _UNSETTLED]
    if not left:
        return results
    if _are_kept([Record.of_written(arrivals[i], results[i]) for i in left if results[i].outcome in outcomes.CODES]):
        left = [index for index in left if results[index].outcome is Outcome.UNAVAILABLE]
    for index, written in zip(left, _spool_if_possible([arrivals[index] for index in left]), strict=True):
        results[index] = written
    return results


_UNSETTLED = frozenset((*outcomes.CODES, Outcome.UNAVAILABLE))


def _are_kept(records: Sequence[Record]) -> bool:
    try:
        keep(records)
    except Error as error:
        logger.exception("rejections could not be kept", extra={"events": len(records)})
        _drop_connection()
        if spool.is_enabled():
            outage.begin(error)
        return False
    return True


def _spool_if_possible(arrivals: Sequence[Arrival]) -> list[Written]:
    if arrivals and spool.is_enabled():
        with suppress(Unavailable):
            return _spool(arrivals)
    return [Written(Outcome.UNAVAILABLE, arrival.row.id) for arrival in arrivals]


def _is_away() -> bool:
    """Tell whether to leave the database alone. Without a spool there is nowhere else to write, so it is tried."""
    if not spool.is_enabled():
        return False
    # That another part of the process got no connection says nothing of one that is open: the slots may be used up.
    return outage.writing.is_open or (outage.database.is_open and connection.connection is None)


def _spool(arrivals: Sequence[Arrival]) -> list[Written]:
    try:
        spool.append(arrivals)
    except Error as error:
        logger.exception("the spool cannot take events")
        raise Unavailable from error
    return [Written(Outcome.SPOOLED, arrival.row.id) for arrival in arrivals]


def _keep(records: Sequence[Record]) -> list[None]:
    if _is_away():
        raise Unavailable
    try:
        keep(records)
    except Error as error:
        _drop_connection()
        raise Unavailable from error
    return [None] * len(records)


def _is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _drop_connection() -> None:
    """Close the connection, so that the next call opens a new one: the failure may have left it unusable."""
    if not connection.in_atomic_block:
        connection.close()


# psycopg waits cooperatively under gevent; sqlite3 does not. Each group has a thread, and so a connection, of its own.
_arriving = Group(OwnThread(_is_sqlite)(_commit), limit=MAX_WAITING, size=MAX_GROUP)
_refusing = Group(OwnThread(_is_sqlite)(_keep), limit=MAX_REFUSED_WAITING, size=MAX_GROUP)
