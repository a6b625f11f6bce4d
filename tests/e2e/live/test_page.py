"""The page Live in a real browser: it shows, folds, pauses, catches up, and never grows without end."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser import chromium
from tests.e2e.live.full_rate import OPERATOR, PASSWORD
from tests.harness.collector import Collector

PATIENCE = 30_000
# What a browser says when it shows another tab; a page without a window never says it by itself.
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event("visibilitychange"));
}"""

# A mark may be gone again before a test on a busy machine looks for it.
NOTE_MARKS = """() => new MutationObserver(() => {
    window.marked ||= document.querySelector("#live-table tr.is-new") !== null;
}).observe(document.querySelector("#live-table"), {subtree: true, attributes: true, childList: true})"""


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console has complained of."""
    return []


@pytest.fixture
def page(own: Collector, complaints: list[str]) -> Iterator[Page]:
    """A browser on the page, logged in; afterwards it must have complained of nothing."""
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        opened = browser.new_page()
        opened.set_default_timeout(PATIENCE)
        opened.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(f"{own.server.url}/admin/login/?next=/admin/live/")
        opened.fill("[name=username]", OPERATOR)
        opened.fill("[name=password]", PASSWORD)
        opened.press("[name=password]", "Enter")
        opened.wait_for_selector("#live-table")
        yield opened
        browser.close()
    assert complaints == []


def send(collector: Collector, name: str, events: int = 1) -> None:
    """Send so many events of this name in one batch."""
    assert collector.post([{"event_name": name}] * events, "/api/collect/batch").json()["stored"] == events


def test_what_is_committed_shows_by_itself_and_is_marked_for_a_moment(own: Collector, page: Page) -> None:
    page.evaluate(NOTE_MARKS)
    send(own, "first")
    row = page.locator("tr", has_text="first")
    row.wait_for()
    page.wait_for_function("window.marked")
    expect(row).not_to_have_class(re.compile(r"\bis-new\b"), timeout=PATIENCE)
    expect(page.locator("#live-said")).to_have_text("1 new", timeout=PATIENCE)
    own.post({"tag_id": "t"})
    page.locator("tr", has_text="event_name: required").wait_for()


def test_page_that_nobody_looks_at_asks_nothing_and_then_catches_up(own: Collector, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2_500)
    page.evaluate(HIDE, True)
    page.wait_for_timeout(1_000)  # what was asked before is answered
    asked.clear()
    send(own, "meanwhile")
    page.wait_for_timeout(3_000)
    assert asked == []
    assert page.inner_text("#live-state") == "Paused while nobody looks."
    page.evaluate(HIDE, False)
    page.locator("tr", has_text="meanwhile").wait_for()
    expect(page.locator("#live-state")).to_contain_text("was caught up", timeout=PATIENCE)
    expect(page.locator("#live-state")).to_contain_text("while nobody looked", timeout=PATIENCE)


def test_pause_is_reached_by_keyboard_and_hides_nothing_for_good(own: Collector, page: Page) -> None:
    button = page.get_by_role("button", name="Pause")
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("#live-pause").get_attribute("aria-pressed") == "true"
    send(own, "meanwhile")
    page.wait_for_timeout(3_000)
    assert page.locator("tr", has_text="meanwhile").count() == 0
    page.keyboard.press("Enter")
    page.locator("tr", has_text="meanwhile").wait_for()


def test_burst_is_folded_and_the_page_stays_short_and_in_order(own: Collector, page: Page) -> None:
    for number in range(20):
        send(own, f"burst-{number}", 30)
        page.wait_for_timeout(1_000)
    page.locator("tr", has_text="burst-19").first.wait_for()
    seconds = page.evaluate(
        "[...document.querySelectorAll('#live-table tbody')].map(one => Number(one.dataset.second))"
    )
    assert seconds == sorted(seconds, reverse=True)
    assert len(seconds) == len(set(seconds))
    assert page.locator("#live-table tbody tr").count() <= 200
    page.get_by_role("link", name="20 more in this second").first.click()
    page.wait_for_selector("text=newest first")
    assert page.locator("tr[id]").count() >= 30


def test_server_that_fails_is_said_and_asked_again(own: Collector, page: Page, complaints: list[str]) -> None:
    page.route("**/admin/live/?after=*", lambda route: route.fulfill(status=503, body="away"))
    expect(page.locator("#live-state")).to_contain_text("The server answered 503", timeout=PATIENCE)
    page.unroute("**/admin/live/?after=*")
    send(own, "afterwards")
    page.locator("tr", has_text="afterwards").wait_for()
    expect(page.locator("#live-state")).to_contain_text("Live")
    assert complaints
    assert all("503" in complaint for complaint in complaints)
    complaints.clear()
