"""Keys with a story of their own: one that is used and always refused, one for tests, one that was revoked."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from collect.demo import agents, places, profiles
from collect.demo.journeys import Audience
from collect.demo.profiles import Profile
from collect.demo.sending import Sent

_TILL_AGENT, _STAGING_AGENT = "pos-export/0.9 (Delphi)", "orders-svc/2.15-rc1"
OLD_AGENT = "GuzzleHttp/6.5"


def tills(until: datetime, audience: Audience, rng: Random) -> Iterator[Sent]:
    """Yield what Bodega's tills send every quarter of an hour: receipts whose time is in microseconds."""
    profile = profiles.BODEGA
    for number in range(36 * 4):
        at = until - timedelta(minutes=15 * (36 * 4 - number)) + timedelta(seconds=rng.uniform(60, 600))
        fields = {
            "event_name": "order_created",
            "event_id": audience.id("till"),
            "timestamp": int((at - timedelta(seconds=rng.uniform(1, 4))).timestamp() * 1_000_000),
            "params": {"order_id": audience.id("T"), "value": round(profile.amount * rng.uniform(0.2, 2), 2)},
        }
        yield _sent(profile, 1, at, fields, _TILL_AGENT)


def staging(until: datetime, audience: Audience, rng: Random) -> Iterator[Sent]:
    """Yield what Northwind tries with its test key on some days."""
    for number in range(60):
        at = until - timedelta(days=rng.randrange(10), hours=rng.uniform(1, 8))
        fields: dict[str, Any] = {
            "event_name": rng.choice(("items_added", "order_created")),
            "event_id": audience.id("try"),
            "tag_id": "staging",
            "timestamp": at.timestamp() - 0.2,
            "user_agent": next(iter(agents.BROWSERS)),
            "params": {"value": 1.0 + number, "currency": "EUR"},
        }
        yield _sent(profiles.NORTHWIND, 1, at, fields, _STAGING_AGENT)


def _sent(profile: Profile, key: int, at: datetime, fields: dict[str, Any], agent: str) -> Sent:
    city = profile.cities[0]
    # A server has one address, of which the place is known.
    address = places.server(profile.name, city)
    return Sent(
        at=at, partner=profile.name, label=profile.keys[key].label, number=0, endpoint=profiles.COLLECT,
        agent=agent, address=address, place=city, body=msgspec.json.encode(fields),
    )  # fmt: skip


def knocks(until: datetime, rng: Random) -> list[datetime]:
    """Return the moments at which Bodega's old storefront sends with its revoked key, newest last: three an hour."""
    return sorted(until - timedelta(seconds=rng.uniform(60, 3 * 86_400)) for _ in range(3 * 72))
