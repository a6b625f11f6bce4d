"""A day of an operator, from the first key to its end: all by the pages, none by its address."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_pages import IN_BOTH, OVERFLOW, Scheme
from tests.harness.collector import Collector

PATIENCE_MS = 60_000
# Workers read what operators ask for every two seconds; a busy machine takes longer.
FOLLOWS_MS = 6_000
# Which two workers hardly share so that one of them gets none.
IN_A_ROW = 10
BUILD = "orders-svc/2.14"
RAW_KEY = re.compile(r"thrad_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


def post(page: Page, raw_key: str, body: Any) -> tuple[int, dict[str, str]]:
    """Send an event as a sender's backend does."""
    headers = {
        "Authorization": f"Bearer {raw_key}",
        "Content-Type": "application/json",
        "User-Agent": "orders-svc/2.14",
    }
    answer = page.request.post("/api/collect", data=json.dumps(body), headers=headers)
    return answer.status, answer.headers


def issue(page: Page, label: str) -> str:
    """Issue a key by the form; return it as it is shown this once."""
    page.goto("/admin/keys/apikey/add/?partner=1")
    page.fill("[name=label]", label)
    page.click("[name=_save]")
    found = RAW_KEY.search(page.inner_text("#raw-key"))
    assert found
    return found[0]


@pytest.mark.timeout(600)
@IN_BOTH
def test_key_is_issued_used_watched_captured_mended_and_revoked(
    open_page: OpenPage, faults: list[str], scheme: Scheme, width: int
) -> None:
    name = f"day of {scheme} {width}"
    page = open_page("/admin/", scheme=scheme, width=width)
    raw_key = issue(page, name)
    prefix = raw_key.rpartition("_")[0]

    # Its first events are seen live, and one is opened.
    for number in (1, 2):
        status, answered = post(
            page, raw_key, {"event_name": name, "event_id": f"{name} {number}", "params": {"n": number}}
        )
        assert (status, answered["x-event-outcome"]) == (204, "stored")
    page.goto(f"/admin/live/?name={name}")
    row = page.get_by_role("row").filter(has_text=f"{name} 2")
    expect(row).to_be_visible(timeout=PATIENCE_MS)
    row.get_by_role("link").first.click()
    expect(page.locator("body")).to_contain_text('"n": 2')

    # A request is captured, byte for byte and without its key.
    page.goto(f"/admin/find/?q={prefix}")
    page.get_by_role("link", name=prefix).click()
    page.get_by_role("button", name="Capture", exact=True).click()
    expect(page.get_by_text("Running:")).to_be_visible()
    page.wait_for_timeout(FOLLOWS_MS)
    status, _ = post(page, raw_key, {"eventName": name, "event_id": f"{name} 3"})
    assert status == 400
    captured = page.locator("#capture table a").first
    for _ in range(20):
        page.reload()
        if captured.count():
            break
        page.wait_for_timeout(500)
    captured.click()
    expect(page.locator("body")).to_contain_text("eventName")
    assert raw_key not in page.content()

    # What was refused is found by its cause, mended, replayed and resolved.
    groups = page.request.get("/admin/rejections.json").json()["groups"]
    (group,) = [one["id"] for one in groups if one["key"] and prefix in json.dumps(one)]
    page.goto(f"/admin/rejections/{group}/")
    expect(page.locator("body")).to_contain_text(BUILD)
    page.get_by_role("link", name="rename eventName to event_name").click()
    page.get_by_role("button", name="Preview all").click()
    state = page.locator("#mend-state")
    expect(state).to_contain_text("1: 1 would be stored", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Replay 1").click()
    expect(state).to_contain_text("1: 1 was stored", timeout=PATIENCE_MS)
    if page.evaluate(OVERFLOW):
        faults.append("the group's page can be moved sideways")

    # The key ends, and is refused from then on.
    page.goto(f"/admin/find/?q={prefix}")
    page.get_by_role("link", name="revoke", exact=True).click()
    page.get_by_text("Yes, revoke").click()
    # Every worker knows of it, once none lets it in any more.
    refused = 0
    for _ in range(60):
        status, _ = post(page, raw_key, {"event_name": name})
        refused = refused + 1 if status == 401 else 0
        page.wait_for_timeout(0 if refused else 500)
        if refused == IN_A_ROW:
            break
    assert refused == IN_A_ROW


def test_event_is_in_the_ledger(site: Collector, open_page: OpenPage) -> None:
    page = open_page("/admin/")
    before = page.request.get("/admin/ledger.json?range=1h").json()["received"]
    assert site.post({"event_name": "counted"}).status == 204
    for _ in range(40):
        if (after := page.request.get("/admin/ledger.json?range=1h").json()["received"]) > before:
            break
        page.wait_for_timeout(500)
    assert after > before
