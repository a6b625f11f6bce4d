"""One server for all tests that look at the console, and a browser for those of a module.

The browser is gone when other modules run: Django refuses its database beside Playwright's loop of events.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, sync_playwright

from tests.browser import chromium
from tests.browser.site import log_in, make_superuser, send_one_of_each
from tests.browser.watch import Watch
from tests.harness import databases, mmdb
from tests.harness.collector import Collector, Keyed, manage
from tests.harness.server import serve
from tests.harness.waiting import eventually

HEIGHT = 900
# Twice as long as a page takes on a machine that does three other things.
PATIENCE_MS = 15_000


class OpenPage(Protocol):
    """Open a page of the site, logged in, in a context of its own."""

    def __call__(
        self, path: str, *, scheme: Literal["light", "dark"] = "light", width: int = 1280, bypass_csp: bool = False
    ) -> Page: ...


@pytest.fixture(scope="session")
def site(scratch: Path, template_with_key: Keyed) -> Iterator[Collector]:
    """A server on a database of its own, with a superuser, a key, an event, a conflict, a rejection, and captures.

    All tests of the run share it: what one makes, it gives a name of its own, and what it did not make, it leaves.
    """
    city = str(mmdb.write_city(scratch / "browser.mmdb"))
    with databases.new(scratch, template=template_with_key.url) as url:
        make_superuser(url)
        manage(url, "capture_requests", template_with_key.raw_key.rpartition("_")[0], "--requests", "2")
        with serve(url, GEOIP_PATH=city) as server:
            collector = Collector(server, url, template_with_key.raw_key)
            send_one_of_each(collector)
            assert eventually(lambda: collector.count("collect_capture") == 2)
            yield collector


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def session(browser: Browser, site: Collector) -> StorageState:
    """The cookies of the superuser, who logs in once."""
    return log_in(browser, site.server.url)


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """All that was wrong with the pages of this test, in words, of which in the end there is nothing.

    A test that expects something looks at it here, and clears the list.
    """
    found: list[str] = []
    yield found
    assert not found, "\n".join(found)


@pytest.fixture
def open_page(browser: Browser, site: Collector, session: StorageState, faults: list[str]) -> Iterator[OpenPage]:
    """Open pages; every one is watched until the test ends."""
    with ExitStack() as stack:

        def open_one(
            path: str, *, scheme: Literal["light", "dark"] = "light", width: int = 1280, bypass_csp: bool = False
        ) -> Page:
            context = browser.new_context(
                base_url=site.server.url,
                storage_state=session,
                color_scheme=scheme,
                viewport=ViewportSize(width=width, height=HEIGHT),
                bypass_csp=bypass_csp,
            )
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            Watch(context, urlsplit(site.server.url).netloc, faults)
            page = context.new_page()
            page.goto(path)
            return page

        yield open_one
