"""What kind of machine a user agent says it is: by the public list of crawlers, and by signs such a list cannot have.

A program's HTTP library is told apart from a bot: okhttp or CFNetwork in a user agent is a person's app as well as a
script, and a sender's backend may have put its own library's name where the browser's belongs.
"""

import re
from collections.abc import Collection
from functools import cache

from ua_parser_rs import UserAgentExtractor

CRAWLER, HEADLESS, MONITOR, HTTP_LIBRARY = "crawler", "headless", "monitor", "http_library"
REASONS = (CRAWLER, HEADLESS, MONITOR, HTTP_LIBRARY)

# The tags of the public list that mean something else than a crawler.
_TAGS = {"http-library": HTTP_LIBRARY, "browser-automation": HEADLESS, "monitoring": MONITOR}
# What the list has no entry for: names that say it of themselves, and the libraries of programming languages.
_SIGNS = {
    # Written without looking back, which the engine cannot: a CUBOT is a phone, wherever its name stands.
    CRAWLER: r"(?:^|[^u]|(?:^|[^c])u)bot(?:\b|[/;_ -])|crawl|spider|slurp|facebookexternalhit",
    HEADLESS: r"headless",
    MONITOR: r"monitor(?:ing)?\b|lighthouse|health-?check|kube-probe|uptime",
    HTTP_LIBRARY: r"okhttp|\b(?:cfnetwork|dalvik|alamofire|guzzlehttp|libcurl|postmanruntime|unitywebrequest)/"
    r"|http-?(?:java-)?client|winhttp|^(?:axios|curl|dart|faraday|go-http|java/|ktor|libwww|node|php|python|reqwest"
    r"|ruby|undici|wget)",
}
# The model of a phone, up to its build. HTC Butterfly, ViewSonic and some builds of Android are patterns of the list.
_MODEL = re.compile(r"(Android [^;()]{1,20};(?: ?[A-Za-z]{2}[-_][A-Za-z]{0,2};)?)[^;()]*")


def reason(text: str) -> str | None:
    """Return which of `REASONS` the user agent names, if any: the list's before our signs, and a library last."""
    if "Android" in text:
        text = _MODEL.sub(r"\1", text)
    found = _machines().extract(text)
    return None if found is None else str(found.family)


def is_bot(found: str | None) -> bool:
    """Tell whether a reason makes a bot: every one but a library, behind which people are too."""
    return found is not None and found != HTTP_LIBRARY


def rule(text: str) -> str | None:
    """Return the pattern by which `reason` decides, of the public list or our own; None where none fits."""
    if "Android" in text:
        text = _MODEL.sub(r"\1", text)
    found = _numbered().extract(text)
    return None if found is None else _patterns()[int(found.family)][0]


@cache
def _machines() -> UserAgentExtractor:
    """Return the public list and our signs, by the engine that parses user agents: it tries all of them in 2 µs.

    The list's own function takes 160 µs, which every user agent that is seen for the first time would cost its event.
    """
    return UserAgentExtractor((pattern, kind, None, None, None, None) for pattern, kind in _patterns())


@cache
def _numbered() -> UserAgentExtractor:
    """Return the same that answers with the number of the pattern. Only the page of an event asks it."""
    return UserAgentExtractor((pattern, str(n), None, None, None, None) for n, (pattern, _) in enumerate(_patterns()))


@cache
def _patterns() -> list[tuple[str, str]]:
    """Return the patterns, each with its reason. The first one that fits counts."""
    # It reads a file of a MiB when it is imported, which most commands have no use for.
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # noqa: PLC0415

    # An escaped slash is a slash, but for this engine.
    machines = [(entry["pattern"].replace("\\/", "/"), _kind(entry["tags"])) for entry in CRAWLER_USER_AGENTS_DATA]
    machines += [(f"(?i:{sign})", kind) for kind, sign in _SIGNS.items()]
    # A crawler may name the library that it uses.
    return sorted(machines, key=lambda machine: machine[1] == HTTP_LIBRARY)


def _kind(tags: Collection[str]) -> str:
    return next((kind for tag, kind in _TAGS.items() if tag in tags), CRAWLER)
