"""The one format of an event at rest: a JSON object whose keys are the columns of `Event`.

The same bytes go to the database and into the spool. They are encoded once, here, and no other module knows how.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import getrandbits
from typing import Any, NamedTuple, Self

import msgspec
from msgspec import Raw

from collect.intake.source import NO_META
from collect.storage.ledger.tally import Tally


class Row(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """An event as it is stored. A field that is left out is NULL."""

    id: str
    received_at: datetime
    timestamp: datetime
    partner_id: int
    api_key_id: int | None
    channel: str
    is_test: bool
    event_name: str
    tag_id: str
    tag_derived: bool | None = None
    params: Raw
    extra: Raw
    # `Raw | None` would let msgspec decode nothing but null.
    consent: Raw = None  # type: ignore[assignment]
    event_id: str | None = None
    page_url: str | None = None
    referrer: str | None = None
    user_agent: str | None = None
    session_id: str | None = None
    client_id: str | None = None
    click_id: str | None = None
    impression_id: str | None = None
    bid_id: str | None = None
    attribution_type: str | None = None
    ip_address: str | None = None
    geo_country: str | None = None
    geo_region: str | None = None
    geo_city: str | None = None
    geo_lat: float | None = None
    geo_lon: float | None = None
    ua_browser: str | None = None
    ua_browser_version: str | None = None
    ua_os: str | None = None
    ua_os_version: str | None = None
    ua_device: str | None = None
    ua_device_brand: str | None = None
    ua_device_model: str | None = None
    ua_is_bot: bool | None = None
    ua_bot_reason: str | None = None


encode: Callable[[Row], bytes] = msgspec.json.Encoder().encode
decode: Callable[[bytes], Row] = msgspec.json.Decoder(Row).decode


class Arrival(NamedTuple):
    """A row on its way to the database: its encoded form, and the body and request that it came from.

    `meta` is what WSGI says of the request, for a rejection; empty where that is unknown.
    """

    row: Row
    document: bytes
    body: bytes
    request_id: str
    # What a request's event is counted by. None for what comes from a file, a rejection or the spool.
    tally: Tally = None  # type: ignore[assignment]  # `ingest.submit`, which counts, is only given requests' events
    # All that WSGI says of the request, empty as above.
    meta: Mapping[str, Any] = NO_META

    @classmethod
    def of(
        cls,
        row: Row,
        body: bytes,
        request_id: str,
        tally: Tally = None,  # type: ignore[assignment]  # as above
        *,
        meta: Mapping[str, Any] = NO_META,
    ) -> Self:
        """Return the arrival of `row`, which is encoded here and only here."""
        return cls(row, encode(row), body, request_id, tally, meta)


# Of the year 9999.
_LAST_MILLISECOND = 253_402_300_799_999


def uuid7(moment: datetime, bits: int | None = None) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7) of `moment`.

    48 bits of Unix milliseconds, then 74 that are `bits` or, where that is None, random.
    """
    milliseconds = int(moment.timestamp() * 1000)
    if bits is None:
        # An id has to be unique, not secret: the process's own generator, which is seeded anew after a fork.
        bits = getrandbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0x2 << 62 | bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def moment_of(id: str) -> datetime | None:
    """Return the moment that a UUIDv7 has in it, to the millisecond; None for an id that has none, as of an import."""
    milliseconds = int(id[:8] + id[9:13], 16)
    if id[14] != "7" or milliseconds > _LAST_MILLISECOND:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def uuid7_of(digest: bytes, moment: datetime) -> str:
    """Return the UUIDv7 of `moment` whose other bits follow from `digest`: the same for the same digest."""
    return uuid7(moment, int.from_bytes(digest[:10]) >> 6)
