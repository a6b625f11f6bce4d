"""Turns records of files into rows, or into rejects with their reasons, by the contract that the endpoint keeps.

An event that brings no id gets one that follows from where it stands (file, line, content). So an import that was cut
off or is run twice adds nothing, even for events without an `event_id`.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from collect import assembly
from collect.backfills.formats import csv_file, exported, past
from collect.backfills.formats import records as formats
from collect.backfills.formats.json_file import REJECTED_STARTS
from collect.backfills.formats.records import Record, on_one_line, out_of_line, too_large
from collect.backfills.partners import Partners
from collect.enrichment import geo
from collect.intake import contract
from collect.intake.source import Source
from collect.storage.rows import Arrival, Row, uuid7_of
from runtime.refusals import Refusal


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a record stands. It tells two equal records apart, and tells a person where to look."""

    file: str
    line: int


class Reject(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A line of the file of rejects. Once its `record` is mended, the line can be imported as it is.

    It holds `lines` lines of the file. A row of CSV that could not be read has the names of its columns as `header`.
    """

    file: str
    line: int
    lines: int = 1
    code: str
    detail: str
    errors: dict[str, list[str]]
    header: str | None = None
    record: Raw


class JudgedStep(NamedTuple):
    """What a step became: the arrivals to write, the place of each, and the rejects."""

    arrivals: list[Arrival]
    places: list[Place]
    rejects: list[Reject]


_rejected_line = msgspec.json.Decoder(Reject).decode


class Judge:
    """Turns records into rows, or into rejects."""

    def __init__(self, partner: str | None, channel: str, partners: Partners, *, create_partner: bool = False) -> None:
        self._name = partner
        self._channel = channel
        self._partners = partners
        self._started_at = datetime.now(UTC)
        self._partner_id = None if partner is None else partners.id_of(partner, create=create_partner)

    def __call__(self, path: str, records: Iterable[Record]) -> JudgedStep:
        """Judge each record of the file at `path` alone."""
        judged = JudgedStep([], [], [])
        name = Path(path).name
        for line in records:
            place, record = _unwrapped(Place(name, line.line), line)
            try:
                if record.fault is not None:
                    raise record.fault
                row = self._row(place, record.body)
            except Refusal as refusal:
                judged.rejects.append(_refused(place, record, refusal))
            else:
                judged.arrivals.append(Arrival.of(row, record.body, ""))
                judged.places.append(place)
        return judged

    def _row(self, place: Place, body: bytes) -> Row:
        fault = None
        if b"partner" in body and b'"timestamp"' in body:
            try:
                return self._exported(exported.decode(body))
            except Refusal as refusal:
                fault = refusal
        if len(body) > contract.MAX_BODY_BYTES:
            raise fault or too_large(contract.MAX_BODY_BYTES)
        try:
            sent = past.decode(body)
        except Refusal as refusal:
            # Only an exported event has a text as timestamp: then its faults as an exported one say more.
            raise fault if fault is not None and "timestamp" in (refusal.errors or {}) else refusal from None
        return self._past(place, body, sent)

    def _past(self, place: Place, body: bytes, sent: past.PastEvent) -> Row:
        partner_id = self._partner_id
        if partner_id is None:
            raise contract.invalid_event({"partner": ["required: name it with --partner"]})
        arrived_at, address = sent.received_at, sent.ip_address
        source = Source(
            partner_id=partner_id,
            api_key_id=None,
            is_test=False,
            received_at=arrived_at or self._started_at,
            ip_address=address,
            geo=geo.lookup(address),
            channel=self._channel,
        )
        return assembly.build(sent, source, _id(partner_id, place, body, arrived_at or sent.sent_at))

    def _exported(self, event: Any) -> Row:
        if self._name is not None and event.partner != self._name:
            raise contract.invalid_event({"partner": [f"is {event.partner}, not {self._name}"]})
        partner_id = self._partners.id_of(event.partner)
        api_key_id = None if event.api_key is None else self._partners.key_of(partner_id, event.api_key)
        return exported.row(event, partner_id, api_key_id)


def _unwrapped(place: Place, record: Record) -> tuple[Place, Record]:
    """Return the record inside a line of a file of rejects, with its original place; any other line unchanged."""
    if not record.body.startswith(REJECTED_STARTS):
        return place, record
    try:
        reject = _rejected_line(record.body)
        body = out_of_line(reject.record)
    except (msgspec.DecodeError, RecursionError, ValueError):  # not a line of ours, or one that was broken since
        return place, record
    place = Place(reject.file, reject.line)
    if reject.header is None or body.startswith(b"{"):
        return place, formats.record(reject.line, body, reject.lines)
    return place, csv_file.mended(reject.line, body, reject.lines, reject.header)


def _id(partner_id: int, place: Place, body: bytes, moment: datetime | None) -> str:
    """Return a UUIDv7 of `moment` (1970 if None) whose other bits follow from partner, record and place."""
    file = place.file.encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(b"%d\0%b\0%d\0%b" % (partner_id, file, place.line, body)).digest()
    return uuid7_of(digest, moment or datetime.fromtimestamp(0, UTC))


def _refused(place: Place, record: Record, refusal: Refusal) -> Reject:
    errors = {name: list(told) for name, told in (refusal.errors or {}).items()}
    reject = reject_of(place, refusal.code, refusal.detail, record.body, errors=errors)
    reject.lines, reject.header = record.lines, record.header
    return reject


def reject_of(
    place: Place, code: str, detail: str, body: bytes, *, errors: dict[str, list[str]] | None = None
) -> Reject:
    """Return the line of the file of rejects for a record."""
    record = on_one_line(body)
    return Reject(file=place.file, line=place.line, code=code, detail=detail, errors=errors or {}, record=record)
