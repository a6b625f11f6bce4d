"""The last step of the road: arrivals become rows, durably, and what the database refuses becomes a rejection.

Nothing is acknowledged here that is not committed; one bad row never fails its neighbours.
"""

import logging
from collections.abc import Sequence

from django.db import Error, connection

from collect import contract, ledger, store
from collect.group import Group
from collect.native import off_the_hub
from collect.rows import Arrival
from collect.store import Outcome, Written
from thrad_events.errors import Code, Unavailable

logger = logging.getLogger(__name__)

# Events that may wait in a worker, and events in one statement. A full queue is told so at once.
MAX_WAITING = 10_000
MAX_GROUP = 500


def submit(arrivals: Sequence[Arrival]) -> list[Written]:
    """Make the arrivals durable; what became of each, in their order. Raises `Unavailable` when nothing could be."""
    return _group.submit(arrivals) if arrivals else []


def start() -> None:
    """Let requests share their commits from now on; once a worker, after it has forked."""
    _group.start()


def _commit(arrivals: Sequence[Arrival]) -> list[Written]:
    try:
        results = _write(arrivals)
        ledger.keep(
            _refused(arrival, result)
            for arrival, result in zip(arrivals, results, strict=True)
            if result.outcome in (Outcome.CONFLICT, Outcome.REJECTED)
        )
    except Error as error:
        logger.exception("events could not be stored")
        _drop_connection()
        raise Unavailable from error
    return results


def _drop_connection() -> None:
    """Meet the database anew next time: whatever failed may have left the connection unusable."""
    if not connection.in_atomic_block:
        connection.close()


_group = Group(off_the_hub(_commit) if connection.vendor == "sqlite" else _commit, limit=MAX_WAITING, size=MAX_GROUP)


def reject(refused: Sequence[ledger.Refused]) -> None:
    """Keep refused bodies for the operator. A database that is away loses the copies, never the answer."""
    try:
        ledger.keep(refused)
    except Error:
        logger.exception("rejections could not be kept")


def _write(arrivals: Sequence[Arrival]) -> list[Written]:
    try:
        return store.write(arrivals)
    except Error as error:
        if not store.is_poison(error):
            raise
        if len(arrivals) == 1:
            logger.warning("the database refused a row", extra={"reason": str(error)})
            return [Written(Outcome.REJECTED, arrivals[0].row.id)]
    middle = len(arrivals) // 2
    return _write(arrivals[:middle]) + _write(arrivals[middle:])


def _refused(arrival: Arrival, result: Written) -> ledger.Refused:
    conflict = result.outcome is Outcome.CONFLICT
    return ledger.Refused(
        partner_id=arrival.row.partner_id,
        api_key_id=arrival.row.api_key_id,
        received_at=arrival.row.received_at,
        request_id=arrival.request_id,
        code=Outcome.CONFLICT if conflict else Code.INVALID_EVENT,
        detail=f"Differs from the stored event in {', '.join(result.differing)}"
        if conflict
        else contract.poisoned().detail,
        errors={name: ["differs"] for name in result.differing},
        event=result.id if conflict else None,
        body=arrival.body,
        body_size=len(arrival.body),
    )
