"""Parts of user agents, real and hostile."""

from time import process_time

import pytest

from collect.enrichment import user_agent
from collect.enrichment.user_agent import UserAgent

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.2 Mobile/15E148 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def test_parts_of_a_phone() -> None:
    assert user_agent.parse(IPHONE) == UserAgent(
        browser="Mobile Safari",
        browser_version="17.2",
        os="iOS",
        os_version="17.2",
        device="iPhone",
        device_brand="Apple",
        device_model="iPhone",
        is_bot=False,
    )


def test_parts_of_a_desktop_without_a_device() -> None:
    parts = user_agent.parse(FIREFOX)
    assert (parts.browser, parts.browser_version, parts.os) == ("Firefox", "121.0", "Linux")
    assert (parts.device, parts.device_brand, parts.device_model, parts.is_bot) == (None, None, None, False)


@pytest.mark.parametrize("absent", [None, "", "   "])
def test_absent_is_all_null(absent: str | None) -> None:
    assert user_agent.parse(absent) == UserAgent()
    assert (user_agent.parse(absent).is_bot, user_agent.parse(absent).bot_reason) == (None, None)


def test_unknown_is_null_but_not_absent() -> None:
    assert user_agent.parse("something of our own") == UserAgent(is_bot=False)


@pytest.mark.parametrize(
    ("text", "is_bot", "reason"),
    [
        (GOOGLEBOT, True, "crawler"),
        ("AhrefsBot/7.0", True, "crawler"),
        ("HeadlessChrome/120", True, "headless"),
        ("UptimeRobot/2.0", True, "monitor"),
        # Known to the parser's rules alone.
        ("IlTrovatore-Setaccio ( http://www.iltrovatore.it)", True, "crawler"),
        # Every Android app's client is a library too, so it says nothing about who is behind it.
        ("okhttp/4.9.2", False, "http_library"),
        ("curl/8.5.0", False, "http_library"),
        ("Java/17.0.1", False, "http_library"),
        (IPHONE, False, None),
    ],
)
def test_machine_has_a_reason_and_a_library_is_no_bot(text: str, is_bot: bool, reason: str | None) -> None:
    parts = user_agent.parse(text)
    assert (parts.is_bot, parts.bot_reason) == (is_bot, reason)


def test_version_longer_than_its_column_is_cut() -> None:
    parts = user_agent.parse(f"Mozilla/5.0 Firefox/{'9' * 1500}.0")
    assert len(parts.browser_version or "") <= 255


@pytest.mark.parametrize(
    "piece",
    [
        "Mozilla/5.0 (",
        "; Build/",
        "Android ",
        "Android x;",
        "AppleWebKit/",
        "a" * 50 + " ",
        "(((((",
        "Android 4.4; ",
        "\x00",
        "😀",
    ],
)
def test_hostile_string_costs_no_more_than_a_long_one(piece: str) -> None:
    """Built against backtracking: a megabyte of it takes no longer than the two thousand characters that are read."""
    long, huge = piece * (2_000 // len(piece) + 1), piece * (1_000_000 // len(piece))
    assert _seconds(huge) < 10 * max(_seconds(long), 0.002)


def _seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        user_agent._parse.cache_clear()
        start = process_time()
        user_agent.parse(text)
        best = min(best, process_time() - start)
    return best
