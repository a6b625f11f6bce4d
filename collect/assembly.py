"""Makes a row of a sent event and its source: what the server adds is added here (contract, section 3)."""

import msgspec
from msgspec import Raw

from collect.enrichment import site_tag
from collect.enrichment.user_agent import parse as parse_user_agent
from collect.intake.contract import SentEvent
from collect.intake.source import Source
from collect.storage.rows import Row, uuid7
from keys import restrictions
from runtime.refusals import Code, Refusal

_EMPTY = Raw(b"{}")


def build(sent: SentEvent, source: Source, id: str | None = None) -> Row:
    """Return the row of `sent`, as it was sent and with what the server adds. Without `id` it gets a new one.

    Raises `Refusal` (`tag_not_allowed`) if the key is restricted to other tags.
    """
    geo = source.geo
    agent = parse_user_agent(sent.user_agent)
    tag_id = sent.tag_id or site_tag.tag_for(sent.page_url, source.origin, source.referer)
    if source.tags and not restrictions.allows_tag(source.tags, tag_id):
        raise Refusal(Code.TAG_NOT_ALLOWED, f"This key may not send for the tag {tag_id}")
    return Row(
        id=id or uuid7(source.received_at),
        received_at=source.received_at, timestamp=sent.sent_at or source.received_at,
        partner_id=source.partner_id, api_key_id=source.api_key_id, channel=source.channel, is_test=source.is_test,
        event_name=sent.event_name, event_id=sent.event_id,
        tag_id=tag_id, tag_derived=None if sent.tag_id else True,
        page_url=sent.page_url, referrer=sent.referrer, user_agent=sent.user_agent,
        session_id=sent.session_id, client_id=sent.client_id,
        click_id=sent.click_id, impression_id=sent.impression_id, bid_id=sent.bid_id,
        attribution_type=sent.attribution_type,
        consent=sent.consent or None,  # type: ignore[arg-type]  # `Raw | None` would decode nothing but null
        params=sent.params or _EMPTY,
        extra=sent.extra or _EMPTY,
        ip_address=source.ip_address,
        geo_country=geo.country, geo_region=geo.region, geo_city=geo.city, geo_lat=geo.lat, geo_lon=geo.lon,
        ua_browser=agent.browser, ua_browser_version=agent.browser_version,
        ua_os=agent.os, ua_os_version=agent.os_version,
        ua_device=agent.device, ua_device_brand=agent.device_brand, ua_device_model=agent.device_model,
        ua_is_bot=agent.is_bot, ua_bot_reason=agent.bot_reason,
    )  # fmt: skip


def shown(row: Row, *, partner: str, api_key: str) -> bytes:
    """Return the row as JSON for its sender: every column, with names where the row has our ids."""
    columns = msgspec.structs.asdict(row)
    del columns["partner_id"], columns["api_key_id"]
    return msgspec.json.encode({**columns, "partner": partner, "api_key": api_key})
