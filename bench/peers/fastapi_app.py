"""`fastapi`: FastAPI and asyncpg as a good team writes them. A pool, a pydantic model, one INSERT a request.

The statement is prepared (asyncpg does that by itself), the keys are cached in memory, and geo and user agent go
through the same libraries with caches as large as ours.
"""

# FastAPI is installed for a measurement alone; where it is missing, so are the types of its decorators.
# mypy: disallow-untyped-decorators=False

import hashlib
import json
import os
import secrets
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import geoip2.database
import ua_parser
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from geoip2.errors import AddressNotFoundError
from pydantic import BaseModel, Field

COLUMNS = (
    "id received_at timestamp partner_id api_key_id channel is_test event_name tag_id event_id page_url referrer "
    "user_agent session_id client_id click_id impression_id bid_id attribution_type consent params extra ip_address "
    "geo_country geo_region geo_city geo_lat geo_lon ua_browser ua_browser_version ua_os ua_os_version ua_device "
    "ua_device_brand ua_device_model ua_is_bot"
).split()
INSERT = (
    f"INSERT INTO collect_event ({', '.join(COLUMNS)}) VALUES ({', '.join(f'${n + 1}' for n in range(len(COLUMNS)))}) "
    "ON CONFLICT DO NOTHING RETURNING id"
)
KEY = "SELECT id, partner_id, is_test FROM keys_apikey WHERE digest = $1 AND revoked_at IS NULL"
KEY_SECONDS = 4.0


class Event(BaseModel):
    event_name: str = Field(min_length=1, max_length=255)
    tag_id: str | None = Field(None, max_length=255)
    event_id: str | None = Field(None, max_length=255)
    timestamp: float | None = None
    page_url: str | None = None
    referrer: str | None = None
    user_agent: str | None = None
    session_id: str | None = Field(None, max_length=255)
    client_id: str | None = Field(None, max_length=255)
    click_id: str | None = Field(None, max_length=255)
    impression_id: str | None = Field(None, max_length=255)
    bid_id: str | None = Field(None, max_length=255)
    attribution_type: str | None = Field(None, max_length=64)
    consent: dict[Any, Any] | None = None
    params: dict[Any, Any] = Field(default_factory=dict)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    size = int(os.environ.get("BENCH_POOL", "8"))
    # jsonb as text, which saves asyncpg a detour.
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size)
    app.state.keys = {}
    app.state.places = geoip2.database.Reader(os.environ["GEOIP_PATH"], mode=8)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


async def authenticate(request: Request) -> Any:
    scheme, _, raw_key = request.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(raw_key.encode()).hexdigest()
    known = request.app.state.keys.get(digest)
    if known is None or time.monotonic() - known[1] > KEY_SECONDS:
        row = await request.app.state.pool.fetchrow(KEY, digest)
        if scheme.lower() != "bearer" or row is None:
            raise HTTPException(401)
        known = request.app.state.keys[digest] = (row, time.monotonic())
    return known[0]


@lru_cache(10_000)
def find_place(address: str) -> tuple[Any, ...]:
    try:
        found = app.state.places.city(address)
    except (AddressNotFoundError, ValueError):
        return (None,) * 5
    region = found.subdivisions.most_specific.name
    return found.country.iso_code, region, found.city.name, found.location.latitude, found.location.longitude


@lru_cache(5_000)
def parse_agent(text: str) -> tuple[Any, ...]:
    found = ua_parser.parse(text)
    browser, system, device = found.user_agent, found.os, found.device
    return (
        browser and browser.family,
        browser and ".".join(filter(None, (browser.major, browser.minor, browser.patch, browser.patch_minor))),
        system and system.family,
        system and ".".join(filter(None, (system.major, system.minor, system.patch, system.patch_minor))),
        device and device.family,
        device and device.brand,
        device and device.model,
        bool(device and device.family == "Spider"),
    )


def uuid7(now: datetime) -> uuid.UUID:
    random = secrets.randbits(74)
    milliseconds = int(now.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1)


@app.post("/api/collect", status_code=204)
async def collect(event: Event, request: Request, key: Any = Depends(authenticate)) -> Response:
    now = datetime.now(UTC)
    timestamp = now if event.timestamp is None else datetime.fromtimestamp(event.timestamp, UTC)
    tag_id = event.tag_id or f"site:{urlsplit(event.page_url or '').hostname or 'unknown'}"
    address = request.client.host if request.client else None
    agent = (None,) * 8 if event.user_agent is None else parse_agent(event.user_agent)
    id = uuid7(now)
    consent = None if event.consent is None else json.dumps(event.consent)
    row = await request.app.state.pool.fetchrow(
        INSERT,
        id, now, timestamp, key["partner_id"], key["id"], "server", key["is_test"], event.event_name, tag_id,
        event.event_id, event.page_url, event.referrer, event.user_agent, event.session_id, event.client_id,
        event.click_id, event.impression_id, event.bid_id, event.attribution_type, consent,
        json.dumps(event.params), "{}", address, *find_place(address), *agent,
    )  # fmt: skip
    outcome = "stored" if row else "duplicate"
    return Response(status_code=204, headers={"X-Event-Id": str(id), "X-Event-Outcome": outcome})
