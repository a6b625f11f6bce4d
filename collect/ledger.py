"""What was refused, kept for the operator within a bound per key and hour (contract, section 2)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from django.db import transaction
from django.db.models import F

from collect.models import Rejection, RejectionTally
from collect.rows import Source
from runtime.refusals import Refusal

MAX_KEPT_BODY = 64 * 1024
KEPT_PER_KEY_AND_HOUR = 1_000


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused event: who sent it, when, why, and its body as sent (up to 64 KiB of it)."""

    partner_id: int
    api_key_id: int
    is_test: bool
    received_at: datetime
    request_id: str
    code: str
    detail: str
    body: bytes
    body_size: int
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    event: str | None = None
    ip_address: str | None = None


def refused(refusal: Refusal, source: Source, body: bytes, request_id: str) -> Refused:
    """The record of `refusal`, given to the event in `body`."""
    return Refused(
        partner_id=source.partner_id,
        api_key_id=cast(int, source.api_key_id),  # what comes without a key has no rejections
        is_test=source.is_test,
        received_at=source.received_at,
        request_id=request_id,
        code=refusal.code,
        detail=refusal.detail,
        errors=refusal.errors or {},
        body=body[:MAX_KEPT_BODY],
        body_size=len(body),
        ip_address=source.ip_address,
    )


def keep(refused: Iterable[Refused]) -> None:
    """Write the refusals down, each counted, the first 1,000 of a key in an hour with their bodies."""
    by_key: dict[tuple[int, datetime], list[Refused]] = defaultdict(list)
    for one in refused:
        by_key[one.api_key_id, one.received_at.replace(minute=0, second=0, microsecond=0)].append(one)
    # In one order, so that two workers never wait for each other's tallies.
    for (api_key_id, hour), group in sorted(by_key.items()):
        _keep(api_key_id, hour, group)


@transaction.atomic
def _keep(api_key_id: int, hour: datetime, group: Sequence[Refused]) -> None:
    tallies = RejectionTally.objects.select_for_update()
    tally, _ = tallies.get_or_create(api_key_id=api_key_id, hour=hour)
    kept = group[: max(0, KEPT_PER_KEY_AND_HOUR - tally.kept)]
    Rejection.objects.bulk_create([_rejection(one) for one in kept])
    RejectionTally.objects.filter(pk=tally.pk).update(seen=F("seen") + len(group), kept=F("kept") + len(kept))


def _rejection(one: Refused) -> Rejection:
    return Rejection(
        received_at=one.received_at,
        partner_id=one.partner_id,
        api_key_id=one.api_key_id,
        request_id=one.request_id,
        code=one.code,
        detail=one.detail,
        errors=dict(one.errors),
        event=one.event,
        body=one.body[:MAX_KEPT_BODY],
        body_size=one.body_size,
        ip_address=one.ip_address,
    )
