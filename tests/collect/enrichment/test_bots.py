"""Machines among user agents: the public list of crawlers, and signs of our own."""

import re

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from collect.enrichment import bots

LISTED = [text for entry in CRAWLER_USER_AGENTS_DATA for text in entry.get("instances", [])]
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)


def test_every_example_of_the_public_list_is_recognised() -> None:
    assert len(LISTED) > 2_000
    assert [text for text in LISTED if not bots.is_bot(text)] == []


def test_engine_agrees_with_the_expressions_of_the_list() -> None:
    """The list is written for Python's expressions; the engine that tries them all at once is another."""
    texts = [CHROME, "Firefox", "a b", *LISTED[::7]]
    patterns = [re.compile(entry["pattern"]) for entry in CRAWLER_USER_AGENTS_DATA]
    for text in texts:
        found = bots._crawlers().extract(text)
        assert (found is not None) == any(pattern.search(text) for pattern in patterns), text


@pytest.mark.parametrize("text", ["OurOwnBot/1.0", "php/8.3", "Shop-Monitor", "java/21"])
def test_signs_that_the_list_has_no_entry_for(text: str) -> None:
    assert bots.is_bot(text)


@pytest.mark.parametrize("text", [CHROME, "Shop/3.2 (iPhone; iOS 17.2)", "something of our own"])
def test_browsers_and_apps_are_none(text: str) -> None:
    assert not bots.is_bot(text)
