"""The one format of an event at rest: a JSON object whose keys are the columns of `Event`.

The same bytes go to the database, into the spool, out of an export and into an import; they are encoded once,
here, and nobody else knows how.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from random import getrandbits
from typing import NamedTuple

import msgspec
from msgspec import Raw

from collect import site
from collect.contract import SentEvent
from collect.geo import Geo
from collect.user_agent import parse as parse_user_agent
from keys import restrictions
from runtime.refusals import Code, Refusal

CHANNEL = "server"
_EMPTY = Raw(b"{}")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event came from: who sent it, and what the server saw of the request.

    `origin` and `referer` are the request's headers; `ip_address` is the sender's, already resolved; `tags` are those
    that the key is restricted to. Without a key (None) it came by an import.
    """

    partner_id: int
    api_key_id: int | None
    is_test: bool
    received_at: datetime
    ip_address: str | None
    geo: Geo
    origin: str | None = None
    referer: str | None = None
    tags: Sequence[str] = ()
    channel: str = CHANNEL


class Row(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """An event as it is stored; a field left out is NULL."""

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


encode: Callable[[Row], bytes] = msgspec.json.Encoder().encode
decode: Callable[[bytes], Row] = msgspec.json.Decoder(Row).decode


def shown(row: Row, *, partner: str, api_key: str) -> bytes:
    """The row as JSON for its sender: every column, with names where the row has our ids."""
    columns = msgspec.structs.asdict(row)
    del columns["partner_id"], columns["api_key_id"]
    return msgspec.json.encode({**columns, "partner": partner, "api_key": api_key})


class Arrival(NamedTuple):
    """A row on its way to the database: encoded, with the body and the request that it came from."""

    row: Row
    document: bytes
    body: bytes
    request_id: str


def uuid7(moment: datetime, bits: int | None = None) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) of `moment`: 48 bits of Unix milliseconds, then 74 that are random or given."""
    milliseconds = int(moment.timestamp() * 1000)
    if bits is None:
        # An id has to be unique, not secret: the process's own generator, which is seeded anew after a fork.
        bits = getrandbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0x2 << 62 | bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def build(sent: SentEvent, source: Source, id: str | None = None) -> Row:
    """The row of `sent`: as sent, and with what the server adds (contract, section 3); `id` is a new one if not given.

    Raises `Refusal` (`tag_not_allowed`) where the key is restricted to other tags.
    """
    geo = source.geo
    agent = parse_user_agent(sent.user_agent)
    tag_id = sent.tag_id or site.tag_for(sent.page_url, source.origin, source.referer)
    if source.tags and not restrictions.allows_tag(source.tags, tag_id):
        raise Refusal(Code.TAG_NOT_ALLOWED, f"This key may not send for the tag {tag_id}")
    return Row(
        id=id or uuid7(source.received_at),
        received_at=source.received_at,
        timestamp=sent.sent_at or source.received_at,
        partner_id=source.partner_id,
        api_key_id=source.api_key_id,
        channel=source.channel,
        is_test=source.is_test,
        event_name=sent.event_name,
        tag_id=tag_id,
        tag_derived=None if sent.tag_id else True,
        event_id=sent.event_id,
        page_url=sent.page_url,
        referrer=sent.referrer,
        user_agent=sent.user_agent,
        session_id=sent.session_id,
        client_id=sent.client_id,
        click_id=sent.click_id,
        impression_id=sent.impression_id,
        bid_id=sent.bid_id,
        attribution_type=sent.attribution_type,
        consent=sent.consent or None,  # type: ignore[arg-type]
        params=sent.params or _EMPTY,
        extra=sent.extra or _EMPTY,
        ip_address=source.ip_address,
        geo_country=geo.country,
        geo_region=geo.region,
        geo_city=geo.city,
        geo_lat=geo.lat,
        geo_lon=geo.lon,
        ua_browser=agent.browser,
        ua_browser_version=agent.browser_version,
        ua_os=agent.os,
        ua_os_version=agent.os_version,
        ua_device=agent.device,
        ua_device_brand=agent.device_brand,
        ua_device_model=agent.device_model,
        ua_is_bot=agent.is_bot,
    )
