"""Every page that can be reached from the console's first one: no error, nobody else's host, no text out of the window.

What axe sees is told by the page and its styles, not by the database: with SQLite alone.
"""

import re
from typing import Literal

import pytest
from playwright.sync_api import Page

from tests.browser import axe
from tests.browser.conftest import OpenPage
from tests.browser.site import PASSWORD, USERNAME
from tests.harness.browser import Browser
from tests.harness.collector import Collector

Scheme = Literal["light", "dark"]

# What has to be among the pages, or the walk has lost its way.
KNOWN = {
    "/admin/",
    "/admin/collect/event/",
    "/admin/collect/rejection/",
    "/admin/keys/apikey/",
    "/admin/keys/apikey/add/",
    "/admin/keys/apikey/1/change/",
    "/admin/keys/apikey/1/revoke/",
    "/admin/keys/apikey/1/rotate/",
    "/admin/password_change/",
    "/admin/reports/",
    "/admin/reports/daily/",
    "/admin/reports/late/",
}
# Two looks in every run, and all four with `-m "long or not long"`.
IN_BOTH = pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        ("dark", 390),
        pytest.param("dark", 1280, marks=pytest.mark.long),
        pytest.param("light", 390, marks=pytest.mark.long),
    ],
)
# How far the page can be moved sideways, in pixels.
OVERFLOW = """() => {
    window.scrollTo(10_000, 0);
    const moved = window.scrollX;
    window.scrollTo(0, 0);
    return moved;
}"""


@pytest.fixture(scope="session")
def paths(site: Collector) -> list[str]:
    """The paths of all pages, as links of other pages name them."""
    walker = Browser(site.server.url)
    walker.log_in(USERNAME, PASSWORD)
    found = [path for path, page in walker.pages("/admin/") if "<html" in page]
    assert set(found) >= KNOWN
    assert any(path.startswith("/admin/captures/") for path in found)
    # Of pages that differ in their row alone, two.
    kinds: dict[str, list[str]] = {}
    for path in found:
        kinds.setdefault(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "N", path), []).append(path)
    return [path for paths in kinds.values() for path in paths[:2]]


@pytest.mark.timeout(600)
@IN_BOTH
def test_no_page_has_an_error_or_is_wider_than_its_window(
    open_page: OpenPage, paths: list[str], faults: list[str], scheme: Scheme, width: int
) -> None:
    page = open_page(paths[0], scheme=scheme, width=width)
    for path in paths:
        settled(page, path)
        assert page.evaluate("document.documentElement.classList.contains('dark')") == (scheme == "dark")
        if page.evaluate(OVERFLOW):
            faults.append(f"{path} can be moved sideways")


@pytest.mark.once
@pytest.mark.timeout(600)
@IN_BOTH
def test_axe_finds_nothing_grave_on_any_page(
    open_page: OpenPage, paths: list[str], faults: list[str], scheme: Scheme, width: int
) -> None:
    page = open_page(paths[0], scheme=scheme, width=width, bypass_csp=True)
    for path in paths:
        settled(page, path)
        faults += [f"{path}: {violation}" for violation in axe.violations(page)]


def settled(page: Page, path: str) -> None:
    """Open the page and wait until its scripts have run and its transitions have ended."""
    page.goto(path, wait_until="load")
    page.wait_for_function("document.getAnimations().every((animation) => animation.playState !== 'running')")
