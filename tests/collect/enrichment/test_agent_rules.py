"""The rules that are named are those by which the parts of a user agent come out."""

import re

import pytest
import ua_parser

from collect.enrichment import agent_rules, bots

AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "okhttp/4.9.0",
    "acme",
    "",
]


@pytest.mark.parametrize("agent", AGENTS)
def test_rule_is_named_where_a_part_is_known_and_fits(agent: str) -> None:
    found, rules = ua_parser.parse(agent), agent_rules.of(agent)
    for part, rule in ((found.user_agent, rules.browser), (found.os, rules.os), (found.device, rules.device)):
        assert (rule is not None) == (part is not None)
        assert rule is None or re.search(rule, agent)


@pytest.mark.parametrize("agent", AGENTS)
def test_pattern_of_a_bot_is_named_where_it_has_a_reason(agent: str) -> None:
    assert (bots.rule(agent) is None) == (bots.reason(agent) is None)
    assert bots.rule("Googlebot/2.1") == "Googlebot/"


def test_release_is_the_package_and_its_version() -> None:
    assert re.fullmatch(r"ua-parser-builtins \d+", agent_rules.release(agent_rules.PARSER))
    assert re.fullmatch(r"crawler-user-agents [\d.]+", agent_rules.release(agent_rules.CRAWLERS))
