"""The ten tasks of a day (docs/console.md), as a new operator tries them: each within three clicks from the first page.

The page is that of `seed_demo`, in which there is something to find.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.site import log_in, make_superuser
from tests.browser.watch import Watch
from tests.harness import databases, mmdb
from tests.harness.collector import Collector, Keyed, manage
from tests.harness.server import serve

CLICKS = 3

# Told by the pages and their scripts, not by the database.
pytestmark = [pytest.mark.once, pytest.mark.timeout(600)]


class Operator:
    """Somebody at the first page, whose clicks are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def click(self, found: Locator) -> None:
        """Click; more than three times is a failure."""
        self.clicks += 1
        assert self.clicks <= CLICKS
        found.click()

    def menu(self, name: str) -> None:
        """Click on a line of the menu."""
        # Its icon is a word in a font of its own.
        self.click(self.page.get_by_role("link", name=re.compile(rf"^(\w+ )?{name}$")).first)

    def sees(self, text: "str | re.Pattern[str]") -> None:
        """Fail unless the page says so."""
        expect(self.page.locator("body")).to_contain_text(text)

    def search(self, text: str) -> None:
        """Look for a text in the box of the search."""
        self.menu("Search")
        self.page.get_by_label("Search for").fill(text)
        self.page.get_by_label("Search for").press("Enter")


@pytest.fixture(scope="module")
def demo(scratch: Path, template_with_key: Keyed) -> Iterator[tuple[Collector, dict[str, str]]]:
    """A server with a month of invented traffic, and the demo's raw keys by label."""
    city = str(mmdb.write_city(scratch / "tasks.mmdb"))
    with databases.new(scratch, template=template_with_key.url) as url:
        make_superuser(url)
        said = manage(url, "seed_demo", "--events", "4000")
        labels = re.findall(r"^  \S.*?  +(\S.*?)  +(thrad_\w+)$", said, re.M)
        keys = {label.strip(): raw_key for label, raw_key in labels}
        with serve(url, GEOIP_PATH=city) as server:
            yield Collector(server, url, template_with_key.raw_key), keys


@pytest.fixture
def operator(browser: Browser, demo: tuple[Collector, dict[str, str]], faults: list[str]) -> Iterator[Operator]:
    collector, _ = demo
    context = browser.new_context(base_url=collector.server.url, storage_state=log_in(browser, collector.server.url))
    context.set_default_timeout(20_000)
    Watch(context, collector.server.url.removeprefix("http://"), faults)
    page = context.new_page()
    page.goto("/admin/")
    yield Operator(page)
    context.close()


def any_event(operator: Operator, query: str) -> dict[str, str]:
    """An event, as a colleague would name it."""
    listed = operator.page.request.get(f"/admin/live.json?{query}").json()["list"]["seconds"]
    rows = [row for second in listed for row in second["rows"] if row["kind"] == "event" and row["event_id"]]
    return dict(rows[0])


def test_issue_a_key(operator: Operator) -> None:
    operator.menu("API keys")
    operator.click(operator.page.get_by_role("link", name=re.compile("Add|Issue", re.I)).first)
    operator.page.wait_for_selector("[name=partner]", state="attached")
    operator.page.evaluate("document.querySelector('[name=partner]').append(new Option('x', '1', true, true))")
    operator.page.fill("[name=label]", "another service")
    operator.click(operator.page.locator("[name=_save]"))
    assert re.search(r"thrad_live_\w+_\w+", operator.page.inner_text("#raw-key"))


def test_why_a_partner_is_refused_and_what_to_tell_them(operator: Operator) -> None:
    operator.menu("Rejections")
    row = operator.page.get_by_role("row").filter(has_text="Northwind").filter(has_text="timestamp")
    operator.click(row.get_by_role("link").first)
    operator.sees(re.compile(r"[Bb]egan \d{4}-\d\d-\d\d \d\d:\d\d"))
    operator.sees("orders-svc/2.14")
    operator.sees("curl")


def test_event_of_an_order(operator: Operator) -> None:
    event = any_event(operator, "range=24h&name=order_created")
    found = operator.page.request.get(f"/admin/collect/event/{event['id']}/change.json").json()
    order = re.search(r'"order_id": ?"([^"]+)"', str(found).replace("'", '"'))
    assert order
    operator.search(order[1])
    operator.click(operator.page.locator("#events ~ .table-frame a").first)
    operator.sees(order[1])


def test_event_of_two_weeks_ago(operator: Operator) -> None:
    before = operator.page.evaluate("new Date(Date.now() - 14 * 864e5).toISOString().slice(0, 16) + 'Z'")
    event = any_event(operator, f"until={before}")
    operator.search(event["event_id"])
    operator.click(operator.page.locator("#events ~ .table-frame a").first)
    operator.sees(event["event_id"])


def test_today_against_yesterday(operator: Operator) -> None:
    operator.sees("a day before")
    operator.sees("a week before")


def test_key_that_is_used_in_vain_and_last_uses(operator: Operator) -> None:
    operator.sees(re.compile(r"till export.* is used and always refused", re.S))
    operator.menu("API keys")
    operator.sees(re.compile("last used", re.I))


def test_leaked_key_pasted_whole_is_rotated(operator: Operator, demo: tuple[Collector, dict[str, str]]) -> None:
    raw_key = demo[1]["events pipeline"]
    operator.search(raw_key)
    operator.sees("You searched for a whole key")
    assert raw_key not in operator.page.url
    operator.click(operator.page.get_by_role("link", name="rotate", exact=True))
    operator.click(operator.page.get_by_text("Rotate and show the new key"))
    assert raw_key not in operator.page.inner_text("#raw-key")


def test_does_geo_work(operator: Operator) -> None:
    operator.sees(re.compile("geo database"))


def test_who_revoked_a_key(operator: Operator) -> None:
    operator.menu("Key history")
    operator.sees(re.compile("revoked", re.I))


def test_does_anything_wait_in_the_spool(operator: Operator) -> None:
    operator.sees(re.compile("spool"))
    assert operator.clicks == 0
