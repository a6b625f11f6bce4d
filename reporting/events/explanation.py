"""Why the columns that the server added to an event came out so, and whether they would come out otherwise now."""

from dataclasses import astuple, dataclass

from collect.enrichment import agent_rules, bots, geo, site_tag, user_agent
from collect.enrichment.city import Geo
from collect.enrichment.user_agent import UserAgent
from collect.models import Event
from runtime.display import exact, second

# Characters of a rule that are shown.
_SHOWN_RULE = 160


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that the server added: what it is, its value, why, and what it would be now, None for the same."""

    what: str
    value: str
    because: str
    now: str | None = None


def of(event: Event) -> list[Reason]:
    """Return the reasons of an event, in the order of the page."""
    return [_tag(event), _timestamp(event), _place(event), *_agent(event)]


def _tag(event: Event) -> Reason:
    if event.tag_derived is None:
        return Reason("Tag", event.tag_id, "Sent as tag_id; it is never derived again.")
    of_page = site_tag.tag_for(event.page_url, None, None)
    if event.tag_id == site_tag.UNKNOWN:
        because = "Derived: the event had no tag_id, and neither its page_url nor Origin nor Referer has a host."
    elif of_page == event.tag_id:
        because = "Derived from the host of page_url, since the event had no tag_id."
    else:
        because = "Derived from the request's Origin or Referer, which are not kept: page_url has no host."
    return Reason("Tag", event.tag_id, because, of_page if of_page not in (event.tag_id, site_tag.UNKNOWN) else None)


def _timestamp(event: Event) -> Reason:
    distance = (event.received_at - event.timestamp).total_seconds()
    if not distance:
        because = "The server's: the event had no timestamp, or that very moment."
    else:
        because = f"Sent: {_length(abs(distance))} {'before' if distance > 0 else 'after'} the event was received."
    return Reason("Timestamp", exact(event.timestamp), because)


def _length(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.3f} seconds"


def _place(event: Event) -> Reason:
    stored = Geo(event.geo_country, event.geo_region, event.geo_city, event.geo_lat, event.geo_lon)
    value = _words(stored)
    if event.ip_address is None:
        return Reason("Place", value, "The event has no address, so there is nothing to look up.")
    status = geo.status()
    if status.built_at is None:
        return Reason(
            "Place", value, f"No geo database is in use now ({status.error}), which gave every event no place."
        )
    now = geo.lookup(event.ip_address)
    network = geo.network(event.ip_address)
    where = "is not" if network is None else f"lies in {network}"
    because = f"{event.ip_address} {where} in the geo database that was built {second(status.built_at)} UTC."
    return Reason("Place", value, because, None if now == stored else _words(now))


def _words(place: Geo) -> str:
    degrees = None if place.lat is None or place.lon is None else f"{place.lat}, {place.lon}"
    return _joined(place.city, place.region, place.country, degrees)


def _agent(event: Event) -> list[Reason]:
    stored = UserAgent(
        event.ua_browser, event.ua_browser_version, event.ua_os, event.ua_os_version,
        event.ua_device, event.ua_device_brand, event.ua_device_model, event.ua_is_bot, event.ua_bot_reason,
    )  # fmt: skip
    text = event.user_agent
    if not text or text.isspace():
        because = "The event has no user_agent. The HTTP header belongs to the sender's library, and is not used."
        return [Reason("Browser", _joined(*astuple(stored)[:2]), because)]
    now, rules = user_agent.parse(text), agent_rules.of(text)
    return [
        _part("Browser", (stored.browser, stored.browser_version), (now.browser, now.browser_version), rules.browser),
        _part("System", (stored.os, stored.os_version), (now.os, now.os_version), rules.os),
        _part("Device", astuple(stored)[4:7], astuple(now)[4:7], rules.device),
        _bot(stored, now, text),
    ]


def _part(what: str, stored: tuple[str | None, ...], now: tuple[str | None, ...], rule: str | None) -> Reason:
    source = agent_rules.release(agent_rules.PARSER)
    because = f"No rule of {source} fits user_agent." if rule is None else f"By a rule of {source}: {_short(rule)}"
    return Reason(what, _joined(*stored), because, None if stored == now else _joined(*now))


def _bot(stored: UserAgent, now: UserAgent, text: str) -> Reason:
    rule = bots.rule(text[: user_agent.PARSED_CHARACTERS])
    source = f"{agent_rules.release(agent_rules.CRAWLERS)} and our own signs"
    if rule is not None:
        because = f"By a pattern of {source}: {_short(rule)}"
    elif now.bot_reason is not None:
        because = f"The device is a spider by {agent_rules.release(agent_rules.PARSER)}."
    else:
        because = f"No pattern of {source} fits user_agent."
    is_same = (stored.is_bot, stored.bot_reason) == (now.is_bot, now.bot_reason)
    return Reason("Bot", _bot_words(stored), because, None if is_same else _bot_words(now))


def _short(rule: str) -> str:
    """Return the beginning of a rule: some are lists of a hundred names."""
    return rule if len(rule) <= _SHOWN_RULE else f"{rule[:_SHOWN_RULE]}… ({len(rule):,} characters)"


def _bot_words(agent: UserAgent) -> str:
    if agent.bot_reason is None:
        return "-" if agent.is_bot is None else "yes" if agent.is_bot else "no"
    return f"{'yes' if agent.is_bot else 'no'}, {agent.bot_reason.replace('_', ' ')}"


def _joined(*parts: str | None) -> str:
    return " · ".join(filter(None, parts)) or "-"
