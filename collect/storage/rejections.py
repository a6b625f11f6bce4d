"""What was refused, kept for the operator within a bound per key and hour (contract, section 2)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, cast

from django.db import transaction
from django.db.models import F

from collect.intake import contract
from collect.intake.source import Source
from collect.models import Rejection, RejectionTally
from collect.storage.outcomes import CODES, Outcome, Written
from collect.storage.rows import Arrival
from runtime.refusals import Refusal

MAX_KEPT_BODY = 64 * 1024
KEPT_PER_KEY_AND_HOUR = 1_000


@dataclass(frozen=True, slots=True)
class Record:
    """One refused event on its way to the database: who sent it, when, why, and up to 64 KiB of its body as sent."""

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

    @classmethod
    def of_refusal(cls, refusal: Refusal, source: Source, body: bytes, request_id: str) -> Self:
        """Return the record of `refusal`, given to the event in `body`."""
        return cls(
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

    @classmethod
    def of_written(cls, arrival: Arrival, written: Written) -> Self:
        """Return the record of an arrival whose outcome is one of `outcomes.CODES`."""
        is_conflict, row = written.outcome is Outcome.CONFLICT, arrival.row
        return cls(
            partner_id=row.partner_id,
            api_key_id=cast(int, row.api_key_id),  # what comes without a key has no rejections
            is_test=row.is_test,
            received_at=row.received_at,
            request_id=arrival.request_id,
            code=CODES[written.outcome],
            detail=written.difference if is_conflict else contract.poisoned().detail,
            errors=written.errors,
            event=written.id if is_conflict else None,
            body=arrival.body[:MAX_KEPT_BODY],
            body_size=len(arrival.body),
            ip_address=row.ip_address,
        )


def keep(records: Iterable[Record]) -> None:
    """Store all records or none. All are tallied, but only the first 1,000 of a key in an hour are kept, with bodies.

    Raises `django.db.Error`.
    """
    by_key: dict[tuple[int, datetime], list[Record]] = defaultdict(list)
    for record in records:
        by_key[record.api_key_id, record.received_at.replace(minute=0, second=0, microsecond=0)].append(record)
    if not by_key:
        return
    with transaction.atomic():
        # In one order, so that two workers never wait for each other's tallies.
        for (api_key_id, hour), group in sorted(by_key.items()):
            _keep(api_key_id, hour, group)


def _keep(api_key_id: int, hour: datetime, group: Sequence[Record]) -> None:
    tallies = RejectionTally.objects.select_for_update()
    tally, _ = tallies.get_or_create(api_key_id=api_key_id, hour=hour)
    kept = group[: max(0, KEPT_PER_KEY_AND_HOUR - tally.kept)]
    Rejection.objects.bulk_create([_row(record) for record in kept])
    RejectionTally.objects.filter(pk=tally.pk).update(seen=F("seen") + len(group), kept=F("kept") + len(kept))


def _row(record: Record) -> Rejection:
    return Rejection(
        received_at=record.received_at,
        partner_id=record.partner_id,
        api_key_id=record.api_key_id,
        request_id=record.request_id,
        code=record.code,
        detail=record.detail,
        errors=dict(record.errors),
        event=record.event,
        body=record.body,
        body_size=record.body_size,
        ip_address=record.ip_address,
    )
