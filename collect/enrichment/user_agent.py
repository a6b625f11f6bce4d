"""What a user agent string says of browser, system and device. Absent or unknown is None."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

import ua_parser

from collect.enrichment import bots
from collect.intake.contract import MAX_TEXT

# The longest real ones have some 500 characters; what follows tells nothing and costs time.
PARSED_CHARACTERS = 2_000
CACHED_STRINGS = 5_000


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
    bot_reason: str | None = None


ABSENT = UserAgent()


def parse(text: str | None) -> UserAgent:
    """Return the parts of `text`, of which the first 2,000 characters are read; all None where absent or blank."""
    start = text and text[:PARSED_CHARACTERS]
    return _parse(start) if start and not start.isspace() else ABSENT


@lru_cache(CACHED_STRINGS)
def _parse(text: str) -> UserAgent:
    found = ua_parser.parse(text)
    browser, system, device = found.user_agent, found.os, found.device
    reason = bots.reason(text) or (bots.CRAWLER if device and device.family == "Spider" else None)
    return UserAgent(
        browser=_known(browser.family) if browser else None,
        browser_version=_version(browser) if browser else None,
        os=_known(system.family) if system else None,
        os_version=_version(system) if system else None,
        device=_known(device.family) if device else None,
        device_brand=_known(device.brand) if device else None,
        device_model=_known(device.model) if device else None,
        is_bot=bots.is_bot(reason),
        bot_reason=reason,
    )


def _known(word: str | None) -> str | None:
    return word[:MAX_TEXT] if word and word != "Other" else None


def _version(found: ua_parser.UserAgent | ua_parser.OS) -> str | None:
    parts = (found.major, found.minor, found.patch, found.patch_minor)
    numbers = [part for part in takewhile(bool, parts) if part]
    return ".".join(numbers)[:MAX_TEXT] or None
