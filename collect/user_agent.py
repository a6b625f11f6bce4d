"""What a user agent string says of browser, system and device. Absent or unknown is None."""

import re
from dataclasses import dataclass
from functools import lru_cache

import ua_parser

# The longest real ones have some 500 characters; what follows tells nothing and costs time.
PARSED_CHARACTERS = 2_000
CACHED_STRINGS = 5_000
MAX_LENGTH = 255

_BOT = re.compile(
    r"bot\b|bot[/;_ -]|crawl|spider|slurp|headless|lighthouse|facebookexternalhit|monitor(?:ing)?\b"
    r"|^(?:curl|wget|python-|go-http|java/|okhttp|axios|node-fetch|ruby|php|libwww|apache-httpclient)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UserAgent:
    """The parts of a user agent, each at most 255 characters."""

    browser: str | None = None
    browser_version: str | None = None
    os: str | None = None
    os_version: str | None = None
    device: str | None = None
    device_brand: str | None = None
    device_model: str | None = None
    is_bot: bool | None = None


ABSENT = UserAgent()


def parse(text: str | None) -> UserAgent:
    """The parts of `text`, of which the first 2,000 characters are read; all None where it is absent or blank."""
    return _parse(text[:PARSED_CHARACTERS]) if text and not text.isspace() else ABSENT


@lru_cache(CACHED_STRINGS)
def _parse(text: str) -> UserAgent:
    found = ua_parser.parse(text)
    browser, system, device = found.user_agent, found.os, found.device
    return UserAgent(
        browser=_known(browser and browser.family),
        browser_version=browser and _version(browser.major, browser.minor, browser.patch, browser.patch_minor),
        os=_known(system and system.family),
        os_version=system and _version(system.major, system.minor, system.patch, system.patch_minor),
        device=_known(device and device.family),
        device_brand=_known(device and device.brand),
        device_model=_known(device and device.model),
        # A bot is flagged, never dropped (contract, section 3).
        is_bot=bool((device and device.family == "Spider") or _BOT.search(text)),
    )


def _known(word: str | None) -> str | None:
    return word[:MAX_LENGTH] if word and word != "Other" else None


def _version(*parts: str | None) -> str | None:
    numbers = []
    for part in parts:
        if not part:
            break
        numbers.append(part)
    return ".".join(numbers)[:MAX_LENGTH] or None
