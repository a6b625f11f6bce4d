"""What was refused, kept for the operator within a bound per key and hour (contract, section 2)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Self, cast

from django.db import transaction
from django.db.models import F

from collect.intake import contract
from collect.intake.source import Source
from collect.models import Rejection, RejectionTally
from collect.models.rejection import MAX_CONTENT_TYPE, MAX_USER_AGENT
from collect.storage.grouping import builds, groups
from collect.storage.grouping.groups import Sighting
from collect.storage.outcomes import CODES, Outcome, Written
from collect.storage.rows import Arrival
from keys import crypto
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
    build: str = builds.UNKNOWN
    user_agent: str | None = None
    content_type: str | None = None

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
            # It may quote a header.
            detail=crypto.masked(refusal.detail),
            errors=refusal.errors or {},
            body=body[:MAX_KEPT_BODY],
            body_size=len(body),
            ip_address=source.ip_address,
            **_headers(source.meta),
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
            **_headers(arrival.meta),
        )

    @property
    def sighting(self) -> Sighting:
        """What the record's group counts."""
        path, message = groups.path(self.errors), groups.message(self.detail)
        return Sighting(
            self.partner_id, self.api_key_id, self.code, path, message, build=self.build, at=self.received_at
        )


def _headers(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record has of the request's headers, without the secret of a key, and the build that they name."""
    if not meta:
        return {}
    agent, content_type = meta.get("HTTP_USER_AGENT", ""), meta.get("CONTENT_TYPE", "")
    return {
        "build": builds.name_of(meta),
        "user_agent": crypto.masked(agent[:MAX_USER_AGENT]),
        "content_type": crypto.masked(content_type[:MAX_CONTENT_TYPE]),
    }


def keep(records: Iterable[Record]) -> None:
    """Store all records or none. All are counted by group, and the first 1,000 of a key in an hour kept, with bodies.

    Raises `django.db.Error`.
    """
    by_key: dict[tuple[int, datetime], list[Record]] = defaultdict(list)
    for record in records:
        by_key[record.api_key_id, record.received_at.replace(minute=0, second=0, microsecond=0)].append(record)
    if not by_key:
        return
    with transaction.atomic():
        # In one order, so that two workers never wait for each other's tallies. All tallies come before all groups.
        tallies = [_tally(api_key_id, hour) for api_key_id, hour in sorted(by_key)]
        of_tallies = [by_key[tally.api_key_id, tally.hour] for tally in tallies]
        ids = iter(groups.add([record.sighting for of_tally in of_tallies for record in of_tally]))
        for tally, of_tally in zip(tallies, of_tallies, strict=True):
            _keep(tally, of_tally, list(islice(ids, len(of_tally))))


def _tally(api_key_id: int, hour: datetime) -> RejectionTally:
    """Return the tally of a key and hour, locked until the end of the transaction."""
    tally, _ = RejectionTally.objects.select_for_update().get_or_create(api_key_id=api_key_id, hour=hour)
    return tally


def _keep(tally: RejectionTally, records: Sequence[Record], ids: Sequence[int]) -> None:
    kept = list(zip(records, ids, strict=True))[: max(0, KEPT_PER_KEY_AND_HOUR - tally.kept)]
    Rejection.objects.bulk_create([_row(record, group_id) for record, group_id in kept])
    RejectionTally.objects.filter(pk=tally.pk).update(seen=F("seen") + len(records), kept=F("kept") + len(kept))


def _row(record: Record, group_id: int) -> Rejection:
    return Rejection(
        received_at=record.received_at,
        partner_id=record.partner_id,
        api_key_id=record.api_key_id,
        group_id=group_id,
        request_id=record.request_id,
        code=record.code,
        detail=record.detail,
        errors=dict(record.errors),
        event=record.event,
        body=record.body,
        body_size=record.body_size,
        ip_address=record.ip_address,
        user_agent=record.user_agent,
        content_type=record.content_type,
    )
