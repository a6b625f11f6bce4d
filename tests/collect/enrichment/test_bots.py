"""Machines among user agents: the public list of crawlers, signs of our own, and phones that look like either."""

import re
from collections import Counter

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from collect.enrichment import bots

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
LISTED = [text for entry in CRAWLER_USER_AGENTS_DATA for text in entry.get("instances", [])]
# A person in Instagram. The build that the list takes for a scanner is that of Android 15 on phones of many makers.
OPPO = (
    "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/142.0.7444.142 Mobile Safari/537.36 Instagram 406.0.0.58.159 Android (35/15; 480dpi; "
    "1080x2400; OPPO; CPH2557; OP573DL1; mt6833; en_MY; 822918295; IABMV/1) NV/1"
)


def android(
    model: str, rest: str = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Mobile Safari/537.36"
) -> str:
    return f"Mozilla/5.0 (Linux; Android 13; {model}) {rest}"


def test_every_example_of_the_public_list_but_a_phone_is_recognised() -> None:
    assert len(LISTED) > 2_000
    assert [text for text in LISTED if bots.reason(text) is None] == [OPPO]


def test_examples_of_the_list_have_the_reason_that_their_tag_says() -> None:
    """Where it is another one, the example names itself as a crawler, or a browser that it drives."""
    kinds = {"http-library": "http_library", "browser-automation": "headless", "monitoring": "monitor"}
    found = Counter[tuple[str, str | None]]()
    for entry in CRAWLER_USER_AGENTS_DATA:
        (*_, kind) = ("crawler", *(kinds[tag] for tag in entry["tags"] if tag in kinds))
        found.update((kind, bots.reason(text)) for text in entry["instances"])
    others = {pair: count for pair, count in found.items() if pair[0] != pair[1]}
    assert sum(others.values()) <= 10
    assert set(others) == {("http_library", "crawler"), ("crawler", "headless"), ("crawler", None)}


def test_engine_agrees_with_the_expressions_of_the_list() -> None:
    """The list is written for Python's expressions; the engine that tries them all at once is another."""
    texts = [CHROME, "Firefox", "a b", *LISTED[::7]]
    signs = [f"(?i:{sign})" for sign in bots._SIGNS.values()]
    patterns = [re.compile(pattern) for pattern in [*(entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA), *signs]]
    for text in texts:
        found = bots._machines().extract(text)
        assert (found is not None) == any(pattern.search(text) for pattern in patterns), text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "crawler"),
        ("OurOwnBot/1.0", "crawler"),
        ("bot", "crawler"),
        ("Robot", "crawler"),
        ("ubot", "crawler"),
        ("acme_bot (+https://acme.example)", "crawler"),
        ("facebookexternalhit/1.1", "crawler"),
        (android("Nexus 5X Build/MMB29P", "Chrome/120 Mobile Safari/537.36 (compatible; Googlebot/2.1)"), "crawler"),
        (android("Pixel 2 Build/OPD3.170816.012; Storebot-Google/1.0"), "crawler"),
        ("okhttp/4.9 Googlebot/2.1", "crawler"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120 Safari/537.36", "headless"),
        ("Headless Thing", "headless"),
        ("Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "monitor"),
        ("Shop-Monitor", "monitor"),
        ("ELB-HealthChecker/2.0", "monitor"),
        ("kube-probe/1.27", "monitor"),
        ("okhttp/4.9.2", "http_library"),
        ("Shop/3.1 okhttp/4.9.2 (Android 13)", "http_library"),
        ("Shop/3.2 CFNetwork/1408.0.4 Darwin/22.5.0", "http_library"),
        ("Dalvik/2.1.0 (Linux; U; Android 13; CUBOT NOTE 20 Build/TP1A)", "http_library"),
        ("Dart/3.0 (dart:io)", "http_library"),
        ("Shop/1.0 (build:1; iOS 16.0.0) Alamofire/5.6", "http_library"),
        ("curl/8.5.0", "http_library"),
        ("python-requests/2.31", "http_library"),
        ("Go-http-client/2.0", "http_library"),
        ("Apache-HttpClient/4.5.13 (Java/17)", "http_library"),
        ("php/8.3", "http_library"),
        ("java/21", "http_library"),
    ],
)
def test_reason(text: str, reason: str) -> None:
    assert bots.reason(text) == reason
    assert bots.is_bot(reason) == (reason != "http_library")


@pytest.mark.parametrize(
    "text",
    [
        CHROME,
        OPPO,
        "Shop/3.2 (iPhone; iOS 17.2)",
        "something of our own",
        "Shop/2.1 (CUBOT X30; Android 13)",
        android("CUBOT X30"),
        android("CUBOT_X19 Build/PPR1.180610.011; wv"),
        "Mozilla/5.0 (Linux; U; Android 4.3; de-de; Cubot One Build/JOP40D) AppleWebKit/534.30 Mobile Safari/534.30",
        android("HTC Butterfly s Build/JDQ39"),
        "Mozilla/5.0 (Linux; U; Android 2.3;en-us; ViewSonic-ViewPad7e Build/ERE27) AppleWebKit/533.1 Mobile Safari",
        android("Crawler Phone Build/X1"),
        android("Robot"),
    ],
)
def test_browsers_apps_and_phones_are_none(text: str) -> None:
    assert bots.reason(text) is None
    assert not bots.is_bot(None)
