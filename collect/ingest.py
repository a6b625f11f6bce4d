"""The last step of the road: arrivals become rows, durably, and what the database refuses becomes a rejection.

Nothing is acknowledged here that is not committed, to the database or, while that cannot answer, to the spool; one
bad row never fails its neighbours.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import cast

from django.db import Error, connection

from collect import contract, ledger, rows, spool, store
from collect.ledger import Refused
from collect.rows import Arrival, Source
from collect.store import Outcome, Written
from keys import directory
from runtime import metrics
from runtime.circuit import Circuit
from runtime.group_commit import Group
from runtime.hub import off_the_hub
from runtime.refusals import Code, Unavailable

logger = logging.getLogger(__name__)

# Events that may wait in a worker, and events in one statement. A full queue is told so at once.
MAX_WAITING = 10_000
MAX_GROUP = 500
# Refused bodies, up to 64 KiB each, that may wait to be written down.
MAX_REFUSED_WAITING = 1_000
# How long a database that failed is left alone, unless it is seen to work before (`drain` looks every second).
RETRY_SECONDS = 10.0

# Beside the outcomes of `store`: what was answered 503, and
UNAVAILABLE = "unavailable"
# What was over the limit of its key, and told 429.
RATE_LIMITED = "rate_limited"

# Outcomes that leave a rejection, and its code.
_CODES: dict[Outcome, str] = {Outcome.CONFLICT: Outcome.CONFLICT, Outcome.REJECTED: Code.INVALID_EVENT}

database = Circuit("the database", RETRY_SECONDS)


def submit(arrivals: Sequence[Arrival]) -> list[Written]:
    """Make the arrivals durable; what became of each, in their order. Raises `Unavailable` when nothing could be."""
    if not arrivals:
        return []
    try:
        return _arriving.submit(arrivals)
    except Unavailable:
        _count(Counter((a.row.is_test, UNAVAILABLE, a.row.partner_id, a.row.channel) for a in arrivals))
        raise


def reject(refused: Sequence[Refused]) -> None:
    """Keep refused bodies for the operator. Where that fails the copies are lost, never the answer."""
    _count(Counter((one.is_test, Outcome.REJECTED, one.partner_id, rows.CHANNEL) for one in refused))
    for one in refused:
        metrics.REJECTIONS.labels(one.code).inc()
    try:
        for start in range(0, len(refused), MAX_GROUP):
            _refusing.submit(refused[start : start + MAX_GROUP])
    except Unavailable:
        logger.exception("rejections could not be kept", extra={"events": len(refused)})


def count_limited(source: Source, events: int) -> None:
    """Count events that were told 429. They will come again: no copy is kept of them."""
    _count(Counter({(source.is_test, RATE_LIMITED, source.partner_id, rows.CHANNEL): events}))


def start() -> None:
    """Let requests share their commits from now on; once a worker, after it has forked."""
    _arriving.start()
    _refusing.start()


def store_now(arrivals: Sequence[Arrival]) -> list[Written]:
    """Store the arrivals in the database, the refused ones in its ledger. Raises `django.db.Error`; safe to repeat."""
    try:
        results = write(arrivals)
    except Error:
        if not _is_lost():
            raise
        # The database was restarted since the last group, and this is the first to notice.
        connection.close()
        results = write(arrivals)
    ledger.keep(
        _refused(arrival, result) for arrival, result in zip(arrivals, results, strict=True) if result.outcome in _CODES
    )
    return results


def write(arrivals: Sequence[Arrival]) -> list[Written]:
    """Store the arrivals, the ones apart that the database refuses. Raises `django.db.Error`; safe to repeat."""
    try:
        return store.write(arrivals)
    except Error as error:
        if not store.is_poison(error):
            raise
        if len(arrivals) == 1:
            logger.warning("the database refused a row", extra={"reason": str(error)})
            return [Written(Outcome.REJECTED, arrivals[0].row.id)]
    middle = len(arrivals) // 2
    return write(arrivals[:middle]) + write(arrivals[middle:])


def count_refused(results: Sequence[Written]) -> None:
    """Count what was kept as a rejection, by its code; once what became of the events is final."""
    for outcome, number in Counter(result.outcome for result in results).items():
        if (code := _CODES.get(outcome)) is not None:
            metrics.REJECTIONS.labels(code).inc(number)


def _commit(arrivals: Sequence[Arrival]) -> list[Written]:
    start = time.perf_counter()
    results = _make_durable(arrivals)
    metrics.COMMIT_SECONDS.observe(time.perf_counter() - start)
    metrics.GROUP_EVENTS.observe(len(arrivals))
    count_refused(results)
    _count(
        Counter(
            (arrival.row.is_test, result.outcome, arrival.row.partner_id, arrival.row.channel)
            for arrival, result in zip(arrivals, results, strict=True)
        )
    )
    return results


def _count(events: Counter[tuple[bool, str, int, str]]) -> None:
    for (is_test, outcome, partner_id, channel), number in events.items():
        counted = metrics.TEST_EVENTS if is_test else metrics.EVENTS
        counted.labels(outcome, directory.partner_name(partner_id), channel).inc(number)


def _make_durable(arrivals: Sequence[Arrival]) -> list[Written]:
    if database.is_open:
        return _spool(arrivals)
    try:
        return store_now(arrivals)
    except Error as error:
        _drop_connection()
        if not spool.is_enabled():
            logger.exception("events could not be stored")
            raise Unavailable from error
        database.open(error)
        return _spool(arrivals)


def _spool(arrivals: Sequence[Arrival]) -> list[Written]:
    try:
        spool.append(arrivals)
    except Error as error:
        logger.exception("the spool cannot take events")
        raise Unavailable from error
    return [Written(Outcome.SPOOLED, arrival.row.id) for arrival in arrivals]


def _keep(refused: Sequence[Refused]) -> list[None]:
    if database.is_open:
        raise Unavailable
    try:
        ledger.keep(refused)
    except Error as error:
        _drop_connection()
        raise Unavailable from error
    return [None] * len(refused)


def _is_lost() -> bool:
    """Whether the connection broke under the statement, and is not just one that could not be made."""
    broken = connection.connection
    return not connection.in_atomic_block and broken is not None and bool(getattr(broken, "closed", False))


def _drop_connection() -> None:
    """Meet the database anew next time: whatever failed may have left the connection unusable."""
    if not connection.in_atomic_block:
        connection.close()


# psycopg waits cooperatively under gevent; sqlite3 does not.
_native = off_the_hub if connection.vendor == "sqlite" else lambda function: function
_arriving = Group(_native(_commit), limit=MAX_WAITING, size=MAX_GROUP)
_refusing = Group(_native(_keep), limit=MAX_REFUSED_WAITING, size=MAX_GROUP)


def _refused(arrival: Arrival, result: Written) -> ledger.Refused:
    conflict = result.outcome is Outcome.CONFLICT
    return ledger.Refused(
        partner_id=arrival.row.partner_id,
        api_key_id=cast(int, arrival.row.api_key_id),  # what comes without a key has no rejections
        is_test=arrival.row.is_test,
        received_at=arrival.row.received_at,
        request_id=arrival.request_id,
        code=_CODES[result.outcome],
        detail=f"Differs from the stored event in {', '.join(result.differing)}"
        if conflict
        else contract.poisoned().detail,
        errors={name: ["differs"] for name in result.differing},
        event=result.id if conflict else None,
        body=arrival.body,
        body_size=len(arrival.body),
        ip_address=arrival.row.ip_address,
    )
