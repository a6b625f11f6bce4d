"""Erasure on request: deletes a person's or an event's rows from events, rejections, captures and spool.

It ends with a proof. The digest of an event is stored before the event is deleted, so that a late retry is told
`duplicate` and does not bring it back. Nothing is deleted before every INSERT has ended that began without seeing the
digests.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction

from collect.backfills.run import BackfillError, Run
from collect.backfills.walk import steps
from collect.models import Capture, ErasedEvent, Erasure, Event, Rejection
from collect.storage import drain, spool, store
from collect.storage.ledger.tally import Endpoint
from collect.storage.removal import remove
from collect.storage.rows import Row
from keys import history, lifecycle
from keys.models import Partner
from runtime.periodic import Busy

FIELDS = ("client_id", "session_id", "event_id")
EVENTS, REJECTIONS, SPOOLED = "events erased", "rejections erased", "spooled events erased"
CAPTURES = "captures erased"
_STEP = 1_000
_LOOKS = 5
# Attempts to get the right to drain the spool, ten a second.
_TRIES = 300
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class EraseOptions:
    """What to erase: the events of the partner in which `field` (one of `FIELDS`) has this value."""

    partner: Partner
    field: str
    value: str


def erase_events(options: EraseOptions, run: Run) -> dict[str, Any]:
    """Erase the events and return the proof: counts and digests, nothing that tells who. A dry run returns {}.

    A run that was cut off can be run again, which finishes the work. Raises `BackfillError` if a server has been
    draining the spool, or a transaction has been open, for half a minute; `django.db.Error` if the database fails or
    somebody else reads the spool; and `Stopped` as `Run.advance` does.
    """
    if run.dry_run:
        ids = [event.pk for events in _steps(options) for event in events]
        run.counts[EVENTS] = len(ids)
        run.counts[REJECTIONS] = len(_rejections(options, ids))
        run.counts[SPOOLED] = len(_spooled(options))
        run.counts[CAPTURES] = Capture.objects.filter(partner=options.partner).count()
        return {}
    erasure, _ = Erasure.objects.get_or_create(
        partner=options.partner,
        field=options.field,
        subject=hashlib.sha256(f"{options.partner.pk}:{options.field}:{options.value}".encode()).hexdigest(),
        defaults={"requested_at": datetime.now(UTC)},
    )
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")
    _erase_spooled(options, erasure, run)
    # Events that arrive during one pass are found by the next. A sender that never stops is not waited for.
    for _ in range(_LOOKS):
        if not _remember_stored(options, erasure):
            break
        _wait_for_writers()
        _delete(options, run)
    _erase_rejections(options, erasure, run)
    _erase_captures(options, erasure, run)
    Erasure.objects.filter(pk=erasure.pk).update(finished_at=datetime.now(UTC))
    erasure.refresh_from_db()
    return _proof(erasure)


def _remember_stored(options: EraseOptions, erasure: Erasure) -> int:
    """Store the digests of all events to be erased, and return how many there were."""
    found = 0
    for rows in _steps(options):
        _remember(erasure, rows)
        found += len(rows)
    return found


def _steps(options: EraseOptions) -> Iterator[list[Event]]:
    meant = Event.objects.filter(partner=options.partner, **{options.field: options.value})
    return steps(meant.only("id", "partner", "tag_id", "event_id"), _STEP)


def _wait_for_writers() -> None:
    """Wait until every INSERT has ended that began before the digests were committed and so does not see them.

    An INSERT locks the table before it takes its snapshot, so one that gets its lock after ours sees the digests. On
    SQLite there is one writer at a time. Raises `BackfillError` if a transaction stays open for half a minute.
    """
    if connection.vendor != "postgresql":
        return
    # Each try takes a second for the lock, and half of one between two.
    for _ in range(_TRIES // 15):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # Writers that come after us wait as long as we do: so give up soon, and try again.
                cursor.execute("SET LOCAL lock_timeout = 1000")
                cursor.execute(f"LOCK TABLE {Event._meta.db_table} IN SHARE MODE")
                return
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            time.sleep(0.5)
    raise BackfillError("A transaction that may be writing events has been open for half a minute")


def _delete(options: EraseOptions, run: Run) -> None:
    """Delete the events whose digest is stored.

    Events that arrived since are left for the next pass, which stores their digests first.
    """
    for rows in _steps(options):
        ids = {store.digest(event): event.pk for event in rows}
        remembered = ErasedEvent.objects.filter(pk__in=ids).values_list("pk", flat=True)
        run.counts[EVENTS] += remove([ids[digest] for digest in remembered], Endpoint.ERASE)
        run.advance(run.counts[EVENTS])


def _remember(erasure: Erasure, rows: Sequence[Row | Event]) -> None:
    """Commit the digests that keep the rows away, before the rows are deleted."""
    ErasedEvent.objects.bulk_create(
        [ErasedEvent(digest=store.digest(row), event=UUID(str(row.id)), erasure=erasure) for row in rows],
        ignore_conflicts=True,
    )


# --- the spool -------------------------------------------------------------------------------------


def _spooled(options: EraseOptions) -> list[Row]:
    return spool.find(lambda row: _is_meant(row, options)) if spool.is_enabled() else []


def _is_meant(row: Row, options: EraseOptions) -> bool:
    return row.partner_id == options.partner.pk and getattr(row, options.field) == options.value


def _erase_spooled(options: EraseOptions, erasure: Erasure, run: Run) -> None:
    if not spool.is_enabled():
        return
    spool.prepare()
    # While this process has the right to drain, nothing moves to the database.
    with _turn():
        rows = _spooled(options)
        _remember(erasure, rows)
        # Only these: no digest is stored of what is spooled meanwhile, and the next run finds it.
        ids = {row.id for row in rows}
        erased = spool.erase(lambda row: row.id in ids) if ids else 0
    run.counts[SPOOLED] += erased
    _count(erasure, "spooled", erased)


@contextmanager
def _turn() -> Iterator[None]:
    """Hold the right to drain. A server that has it gives it back after a moment, unless much waits.

    Raises `BackfillError` if a server keeps it for half a minute.
    """
    with ExitStack() as stack:
        for _ in range(_TRIES):
            try:
                stack.enter_context(drain.turn())
                break
            except Busy:
                time.sleep(0.1)
        else:
            raise BackfillError("A server is draining the spool")
        yield


# --- the rejections --------------------------------------------------------------------------------


def _rejections(options: EraseOptions, erased: Sequence[UUID]) -> list[int]:
    """Return the ids of this subject's rejections, known by their body or by the event that they met or became."""
    erased_ids = set(erased)
    return [
        rejection.pk
        for rejection in Rejection.objects.filter(partner=options.partner).iterator(100)
        if rejection.event in erased_ids
        or rejection.replayed_as in erased_ids
        or _names(bytes(rejection.body), options)
    ]


def _names(body: bytes, options: EraseOptions) -> bool:
    """Tell whether the body has the value in a field of that name. It was refused, so it may be anything."""
    try:
        found = json.loads(body, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        # A body that cannot be parsed is erased if the value stands in it as a word.
        spellings = {options.value, json.dumps(options.value)[1:-1]}
        words = "|".join(re.escape(text) for text in spellings)
        text = body.decode("utf-8", "replace")
        return re.search(rf"(?<!\w)(?:{words})(?!\w)", text) is not None
    return _holds(found, options)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a repeated key keeps all of its values."""


def _holds(found: Any, options: EraseOptions) -> bool:
    """Tell whether the field has the value at any depth and under any spelling of its name.

    A batch is kept whole, and the spelling may be why the event was refused.
    """
    if isinstance(found, _Pairs):
        return any(
            (_plain(name) == _plain(options.field) and value == options.value) or _holds(value, options)
            for name, value in found
        )
    return isinstance(found, list) and any(_holds(one, options) for one in found)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _erase_rejections(options: EraseOptions, erasure: Erasure, run: Run) -> None:
    erased = list(erasure.events.values_list("event", flat=True))
    ids = _rejections(options, erased)
    for start in range(0, len(ids), _STEP):
        with transaction.atomic():
            deleted, _ = Rejection.objects.filter(pk__in=ids[start : start + _STEP]).delete()
            _count(erasure, "rejections", deleted)
        run.counts[REJECTIONS] += deleted


def _erase_captures(options: EraseOptions, erasure: Erasure, run: Run) -> None:
    """Delete all captures of the partner, and stop those that are ordered.

    A body may be compressed, cut, or of an endpoint whose answer has the person too: nobody could tell which to leave,
    and none would live for longer than a day.
    """
    with transaction.atomic():
        # First, so that what a worker has not written yet is never written.
        lifecycle.stop_capture(list(options.partner.keys.values_list("pk", flat=True)), history.command())
        deleted, _ = Capture.objects.filter(partner=options.partner).delete()
        _count(erasure, "captures", deleted)
    run.counts[CAPTURES] += deleted


def _count(erasure: Erasure, what: str, number: int) -> None:
    erasure.refresh_from_db(fields=["counts"])
    erasure.counts[what] = erasure.counts.get(what, 0) + number
    erasure.save(update_fields=["counts"])


def _proof(erasure: Erasure) -> dict[str, Any]:
    digests = sorted(erasure.events.values_list("digest", flat=True))
    return {
        "partner": erasure.partner.name,
        "field": erasure.field,
        "subject": erasure.subject,
        "requested_at": erasure.requested_at.isoformat(),
        "finished_at": erasure.finished_at.isoformat() if erasure.finished_at else None,
        "events": len(digests),
        "rejections": erasure.counts.get("rejections", 0),
        "spooled": erasure.counts.get("spooled", 0),
        "captures": erasure.counts.get("captures", 0),
        "digests": digests,
    }
