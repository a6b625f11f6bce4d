"""Erasure on request: a person's or an event's rows out of the database, the ledger and the spool, and the proof.

What is erased is remembered by a digest before it is deleted, so that a late retry is told `duplicate` and does not
bring it back.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction

from collect import drain, spool, store
from collect.backfills.run import BackfillError, Run
from collect.models import ErasedEvent, Erasure, Event, Rejection
from collect.rows import Row
from keys.models import Partner

FIELDS = ("client_id", "session_id", "event_id")
EVENTS, REJECTIONS, SPOOLED = "events erased", "rejections erased", "spooled events erased"
_STEP = 1_000
# To get at the spool, ten a second.
_TRIES = 300


@dataclass(frozen=True, slots=True)
class Options:
    """Whose events: those of the partner in which `field` (one of `FIELDS`) has this value."""

    partner: Partner
    field: str
    value: str


def erase_events(options: Options, run: Run) -> dict[str, Any]:
    """Erase, and give the proof: counts and digests, nothing that tells who. Cut off and run again it goes on.

    Raises `BackfillError` where a server has been draining the spool for half a minute.
    """
    if run.dry_run:
        run.counts[EVENTS] = _events(options).count()
        run.counts[REJECTIONS] = len(_rejections(options, []))
        run.counts[SPOOLED] = len(_spooled(options))
        return {}
    erasure, _ = Erasure.objects.get_or_create(
        partner=options.partner,
        field=options.field,
        subject=hashlib.sha256(f"{options.partner.pk}:{options.field}:{options.value}".encode()).hexdigest(),
        defaults={"requested_at": datetime.now(UTC)},
    )
    _erase_spooled(options, erasure, run)
    # Until a look finds nothing: a try that was under way when the digests were written may have come in after it.
    while rows := list(_events(options)[:_STEP]):
        _remember(erasure, rows)
        _events(options).filter(pk__in=[event.pk for event in rows]).delete()
        run.counts[EVENTS] += len(rows)
        run.advance(run.counts[EVENTS])
    _erase_rejections(options, erasure, run)
    Erasure.objects.filter(pk=erasure.pk).update(finished_at=datetime.now(UTC))
    erasure.refresh_from_db()
    return _proof(erasure)


def _events(options: Options) -> "models.QuerySet[Event]":
    return Event.objects.filter(partner=options.partner, **{options.field: options.value}).order_by("id")


def _remember(erasure: Erasure, rows: Sequence[Row | Event]) -> None:
    """Commit what keeps the rows away, before they are deleted."""
    ErasedEvent.objects.bulk_create(
        [ErasedEvent(digest=store.digest(row), event=UUID(str(row.id)), erasure=erasure) for row in rows],
        ignore_conflicts=True,
    )


# --- the spool -------------------------------------------------------------------------------------


def _spooled(options: Options) -> list[Row]:
    return spool.find(lambda row: _is_meant(row, options)) if spool.is_enabled() else []


def _is_meant(row: Row, options: Options) -> bool:
    return row.partner_id == options.partner.pk and getattr(row, options.field) == options.value


def _erase_spooled(options: Options, erasure: Erasure, run: Run) -> None:
    if not spool.is_enabled():
        return
    # Nothing moves to the database meanwhile.
    with _turn():
        _remember(erasure, _spooled(options))
        erased = spool.erase(lambda row: _is_meant(row, options))
    run.counts[SPOOLED] += erased
    _count(erasure, "spooled", erased)


@contextmanager
def _turn() -> Iterator[None]:
    """The right to drain; a server that has it gives it back after a moment, unless much waits."""
    with ExitStack() as stack:
        for _ in range(_TRIES):
            try:
                stack.enter_context(drain.turn())
                break
            except drain.Busy:
                time.sleep(0.1)
        else:
            raise BackfillError("A server is draining the spool")
        yield


# --- the ledger ------------------------------------------------------------------------------------


def _rejections(options: Options, erased: Sequence[UUID]) -> list[int]:
    """The rejections of this subject: by their body, or by the event that they collided with or became."""
    erased_ids = set(erased)
    return [
        rejection.pk
        for rejection in Rejection.objects.filter(partner=options.partner).iterator(100)
        if rejection.event in erased_ids
        or rejection.replayed_as in erased_ids
        or _names(bytes(rejection.body), options)
    ]


def _names(body: bytes, options: Options) -> bool:
    """Whether the body, which need not be JSON nor whole, has the value in the field."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        # What cannot be read goes where the value stands in it at all.
        return json.dumps(options.value).encode()[1:-1] in body or options.value.encode() in body
    return _holds(found, options)


def _holds(found: Any, options: Options) -> bool:
    """A refused batch was kept whole: its events are looked at too."""
    if isinstance(found, dict):
        return found.get(options.field) == options.value or _holds(found.get("events"), options)
    return isinstance(found, list) and any(isinstance(one, dict) and _holds(one, options) for one in found)


def _erase_rejections(options: Options, erasure: Erasure, run: Run) -> None:
    erased = list(erasure.events.values_list("event", flat=True))
    ids = _rejections(options, erased)
    for start in range(0, len(ids), _STEP):
        with transaction.atomic():
            deleted, _ = Rejection.objects.filter(pk__in=ids[start : start + _STEP]).delete()
            _count(erasure, "rejections", deleted)
        run.counts[REJECTIONS] += deleted


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
        "digests": digests,
    }
