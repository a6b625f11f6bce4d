"""Each thing that the server added has a reason, and says where it would come out otherwise now."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from collect.enrichment import geo
from collect.models import Event
from collect.storage import store
from reporting.events import explanation
from reporting.events.explanation import Reason
from tests.harness import factories, mmdb

pytestmark = pytest.mark.django_db

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)
Store = Callable[..., Event]


@pytest.fixture
def stored(settings: Settings, tmp_path: Path) -> Store:
    """Store an event as it comes in while the City database of the tests is in use."""
    settings.GEOIP_PATH = str(mmdb.write_city(tmp_path / "city.mmdb"))
    api_key, _ = factories.issue()

    def store_one(source: dict[str, Any] | None = None, **fields: Any) -> Event:
        address = (source or {}).get("ip_address", "81.2.69.142")
        of_request = factories.source(api_key, **{"ip_address": address, "geo": geo.lookup(address), **(source or {})})
        (written,) = store.write([factories.arrival(of_request, **fields)])
        return Event.objects.get(pk=written.id)

    return store_one


def reasons(event: Event) -> dict[str, Reason]:
    return {reason.what: reason for reason in explanation.of(event)}


def test_tag_was_sent_or_derived_from_the_page_or_from_a_header(stored: Store) -> None:
    assert "Sent as tag_id" in reasons(stored(tag_id="tag_1"))["Tag"].because
    page = reasons(stored(page_url="https://Shop.example/cart"))["Tag"]
    assert (page.value, page.now) == ("site:shop.example", None)
    assert "host of page_url" in page.because
    header = reasons(stored({"origin": "https://other.example"}))["Tag"]
    assert header.value == "site:other.example"
    assert "Origin or Referer, which are not kept" in header.because
    assert "neither its page_url" in reasons(stored())["Tag"].because


def test_timestamp_was_sent_or_is_the_servers(stored: Store) -> None:
    assert "The server's" in reasons(stored())["Timestamp"].because
    received = datetime(2026, 5, 26, 16, tzinfo=UTC)
    for distance, words in (
        (2.5, "2.500 seconds before"),
        (-7_200, "2.0 hours after"),
        (3 * 86_400, "3.0 days before"),
    ):
        sent = (received - timedelta(seconds=distance)).timestamp()
        event = stored({"received_at": received}, timestamp=sent)
        assert words in reasons(event)["Timestamp"].because


def test_place_names_the_network_and_the_age_of_the_database(stored: Store) -> None:
    place = reasons(stored())["Place"]
    assert place.value == "London · England · GB · 51.5142, -0.0931"
    built = geo.status().built_at
    assert built
    assert f"81.2.69.142 lies in 81.2.69.0/24 in the geo database that was built {built:%Y-%m-%d}" in place.because
    assert place.now is None


def test_place_that_would_be_another_today_says_so(stored: Store) -> None:
    event = stored()
    event.geo_city = "Paris"
    assert reasons(event)["Place"].now == "London · England · GB · 51.5142, -0.0931"


def test_place_of_an_address_that_is_nowhere_or_missing(stored: Store, settings: Settings) -> None:
    event = stored({"ip_address": "203.0.113.9"})
    assert "203.0.113.9 is not in the geo database" in reasons(event)["Place"].because
    event.ip_address = None
    assert "no address" in reasons(event)["Place"].because
    event.ip_address = "81.2.69.142"
    settings.GEOIP_PATH = f"{settings.GEOIP_PATH}.gone"
    assert "No geo database is in use now (no such file)" in reasons(event)["Place"].because


def test_parts_of_the_user_agent_name_their_rules_and_the_version_of_them(stored: Store) -> None:
    found = reasons(stored(user_agent=CHROME))
    assert found["Browser"].value == "Chrome · 120.0.0.0"
    assert "By a rule of ua-parser-builtins 20" in found["Browser"].because
    assert "Chromium|Chrome" in found["Browser"].because
    assert "Windows NT 10" in found["System"].because
    assert "No rule of ua-parser-builtins" in found["Device"].because
    assert found["Bot"].value == "no"
    assert "No pattern of crawler-user-agents" in found["Bot"].because
    assert [reason.now for reason in found.values()] == [None] * 7


@pytest.mark.parametrize(
    ("agent", "value", "pattern"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "yes, crawler", "Googlebot"),
        ("okhttp/4.9.0", "no, http library", "okhttp"),
        ("acme-uptime/1", "yes, monitor", "uptime"),
    ],
)
def test_bot_names_the_pattern(stored: Store, agent: str, value: str, pattern: str) -> None:
    bot = reasons(stored(user_agent=agent))["Bot"]
    assert (bot.value, bot.now) == (value, None)
    assert pattern in bot.because


def test_parts_that_would_be_others_today_say_so(stored: Store) -> None:
    event = stored(user_agent=CHROME)
    event.ua_browser_version, event.ua_is_bot = "119", True
    found = reasons(event)
    assert (found["Browser"].now, found["Bot"].now) == ("Chrome · 120.0.0.0", "no")
    assert found["System"].now is None


def test_event_without_a_user_agent_says_why_it_has_none(stored: Store) -> None:
    found = reasons(stored())
    assert "no user_agent" in found["Browser"].because
    assert "Bot" not in found
