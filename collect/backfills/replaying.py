"""Sends kept rejections through the contract again, mended; each becomes an event once and never twice."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import Error, transaction

from collect import assembly
from collect.backfills.mending import CUT, mended, rejections
from collect.backfills.run import Run
from collect.backfills.selection import Selection
from collect.backfills.writing import Foresight
from collect.enrichment import geo
from collect.intake import contract
from collect.intake.source import Source
from collect.models import Rejection
from collect.storage import late, store
from collect.storage.outcomes import Outcome, Written
from collect.storage.rejections import MAX_KEPT_BODY
from collect.storage.rows import Arrival, uuid7_of
from keys.models import ApiKey
from runtime import failures
from runtime.refusals import Refusal

REPLAYED, EARLIER = "replayed", "replayed before"
GONE = "pruned or erased meanwhile"
# How many refusals are printed one by one, so that a person knows what to mend next.
TOLD = 10
_STEP = 500


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Which rejections to replay, and how to mend them: fields to set or rename, or whole bodies by rejection id.

    `types` are what fields are turned into, by their new names.
    """

    codes: Sequence[str] = ()
    ids: Sequence[int] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    bodies: Mapping[int, bytes] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)


def replay_rejections(options: ReplayOptions, run: Run) -> int:
    """Replay the selected rejections in the order in which they came; return how many are still refused or were left.

    Raises `BackfillError` for an id that is not selected, and `Stopped` as `Run.advance` does.
    """
    found = rejections(options.codes, {*options.ids, *options.bodies}, options.selection).select_related("api_key")
    ids = list(found.values_list("pk", flat=True))
    foresee = Foresight() if run.dry_run else None
    run.begin(0.0)
    told = done = 0
    for start in range(0, len(ids), _STEP):
        for rejection in found.filter(pk__in=ids[start : start + _STEP]):
            outcome, why = _replay(rejection, options, foresee)
            run.counts[outcome] += 1
            if why and told < TOLD:
                told += 1
                run.tell(f"rejection {rejection.pk}: {why}")
            done += 1
            run.advance(done, done / len(ids))
    return sum(run.counts.values()) - run.counts[REPLAYED] - run.counts[EARLIER] - run.counts[GONE]


def _replay(rejection: Rejection, options: ReplayOptions, foresee: Foresight | None) -> tuple[str, str]:
    """Replay one rejection; return what became of it, and why it is still refused ("" if it is not).

    With `foresee` only say so.
    """
    if rejection.replayed_as is not None:
        return EARLIER, ""
    body = options.bodies.get(rejection.pk)
    if body is None:
        if rejection.body_size > MAX_KEPT_BODY:
            return CUT, ""
        body = bytes(rejection.body)
    try:
        arrival = _arrival(rejection, mended(body, options.set, options.rename, options.types))
    except Refusal as refusal:
        return f"still refused: {refusal.code}", refusal.detail
    if foresee is not None:
        return _judged(foresee([arrival])[0])
    return _store(rejection, arrival)


def _judged(written: Written) -> tuple[str, str]:
    if written.outcome is Outcome.CONFLICT:
        return "still refused: conflict", f"{written.difference}: {written.id}"
    return REPLAYED, ""


def _store(rejection: Rejection, arrival: Arrival) -> tuple[str, str]:
    """Store the event and link the rejection to it, both or neither; return the same as `_replay`.

    Raises `django.db.Error` where the database is away.
    """
    with transaction.atomic():
        # A process that replays it at the same moment waits here, and then finds that it was done.
        locked = Rejection.objects.select_for_update().filter(pk=rejection.pk).first()
        if locked is None or locked.replayed_as is not None:
            return (GONE if locked is None else EARLIER), ""
        try:
            with transaction.atomic():
                (written,) = store.write([arrival])
        except Error as error:
            if failures.is_away(error):
                raise
            return "still refused: invalid_event", f"{contract.poisoned().detail}: {failures.reason(error)}"
        if written.outcome is Outcome.CONFLICT:
            return _judged(written)
        locked.replayed_as, locked.replayed_at = UUID(written.id), datetime.now(UTC)
        locked.save(update_fields=["replayed_as", "replayed_at"])
        late.note(late.REPLAY, [arrival], [written])
    return REPLAYED, ""


def _arrival(rejection: Rejection, body: bytes) -> Arrival:
    key: ApiKey = rejection.api_key
    source = Source(
        partner_id=rejection.partner_id,
        api_key_id=key.pk,
        is_test=key.is_test,
        received_at=rejection.received_at,
        ip_address=rejection.ip_address,
        geo=geo.lookup(rejection.ip_address),
        tags=key.tags,
    )
    digest = hashlib.sha256(f"rejection {rejection.pk}".encode()).digest()
    row = assembly.build(contract.decode(body), source, uuid7_of(digest, rejection.received_at))
    return Arrival.of(row, body, rejection.request_id)
