"""By which rules the parts of a user agent are read: for the page of an event, which says why they came out so."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from ua_parser import load_lazy_builtins
from ua_parser_rs import DeviceExtractor, OSExtractor, UserAgentExtractor

from collect.enrichment.user_agent import PARSED_CHARACTERS

# The packages that the rules come from, whose versions say which rules they are.
PARSER, CRAWLERS = "ua-parser-builtins", "crawler-user-agents"


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns that decided, each None where none fits."""

    browser: str | None = None
    os: str | None = None
    device: str | None = None


def of(text: str) -> Rules:
    """Return the patterns that the user agent's parts come from."""
    text = text[:PARSED_CHARACTERS]
    browsers, systems, devices = load_lazy_builtins()
    browser, system, device = (extractor.extract(text) for extractor in _extractors())
    return Rules(
        browser=browsers[int(browser.family)].regex if browser else None,
        os=systems[int(system.family)].regex if system else None,
        device=devices[int(device.family)].regex if device else None,
    )


def release(package: str) -> str:
    """Return the installed version of one of the packages of rules, such as `ua-parser-builtins 202610`."""
    return f"{package} {version(package)}"


@cache
def _extractors() -> tuple[UserAgentExtractor, OSExtractor, DeviceExtractor]:
    """Return the engine of `user_agent` with the same rules, which answers with a rule's number instead of a name.

    To build it takes half a second, once in a process that shows such a page.
    """
    browsers, systems, devices = load_lazy_builtins()
    return (
        UserAgentExtractor((rule.regex, str(number), None, None, None, None) for number, rule in enumerate(browsers)),
        OSExtractor((rule.regex, str(number), None, None, None, None) for number, rule in enumerate(systems)),
        # Only the rules of devices have a flag, which their common type does not tell.
        DeviceExtractor(
            (rule.regex, getattr(rule, "regex_flag", None), str(number), None, None)
            for number, rule in enumerate(devices)
        ),
    )
