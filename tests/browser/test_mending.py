"""A group of rejections is mended in a browser: suggested, previewed, replayed and resolved, under the policy."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import OpenPage
from tests.browser.test_pages import IN_BOTH, OVERFLOW, Scheme, settled
from tests.harness.collector import Collector

PATIENCE_MS = 60_000


def refuse(site: Collector, name: str) -> None:
    """Have four events refused for the same cause: their name is in a field that only looks like ours."""
    for number in (1, 2, 3, 1):
        assert site.post({name: "order_created", "event_id": f"{name} {number}"}).status == 400


def group_of(page: Page, name: str) -> Any:
    """The group of the site's own key: other tests of this run have keys of their own."""
    groups = page.request.get("/admin/rejections.json").json()["groups"]
    (found,) = [group for group in groups if name in group["message"] and group["label"] == "backend"]
    return found


def told(page: Page, text: str) -> None:
    expect(page.locator("#mend-state")).to_contain_text(text, timeout=PATIENCE_MS)


def test_group_is_mended_replayed_and_resolved(site: Collector, open_page: OpenPage) -> None:
    refuse(site, "eventName")
    page = open_page("/admin/rejections/")
    address = f"/admin/rejections/{group_of(page, 'eventName')['id']}/"
    page.goto(address)
    page.get_by_role("link", name="rename eventName to event_name").click()
    expect(page.locator("#mending")).to_contain_text("The example would be accepted.")
    page.get_by_role("button", name="Preview all").click()
    # No reload: the page asks for it by itself.
    told(page, "4: 3 would be stored, 1 is a duplicate")
    page.get_by_role("button", name="Replay 3").click()
    told(page, "4: 3 were stored, 1 is a duplicate")
    assert page.url.endswith(f"{address}?op=rename&path=eventName&to=event_name#mending")
    page.get_by_role("button", name="Mark the group as resolved").click()
    page.wait_for_url(re.compile(f"{address}$"))
    assert group_of(page, "eventName")["state"] == "resolved"
    for number in (1, 2, 3):
        assert (
            site.post({"event_name": "order_created", "event_id": f"eventName {number}"}).headers["X-Event-Outcome"]
            == "duplicate"
        )


@pytest.mark.once
@IN_BOTH
def test_axe_finds_nothing_grave_while_a_group_is_mended(
    site: Collector, open_page: OpenPage, faults: list[str], scheme: Scheme, width: int
) -> None:
    name = f"event{'.' * (1 + (scheme == 'dark') + 2 * (width == 390))}name"
    refuse(site, name)
    page = open_page("/admin/rejections/", scheme=scheme, width=width, bypass_csp=True)
    address = f"/admin/rejections/{group_of(page, name)['id']}/mend/"
    settled(page, f"{address}?op=delete&path=a..b&to=")
    faults += axe.violations(page)
    settled(page, address)
    page.get_by_role("link", name="rename event").click()
    page.get_by_role("button", name="Preview all").click()
    told(page, "would be stored")
    faults += axe.violations(page)
    assert not page.evaluate(OVERFLOW)
    page.get_by_role("button", name="Replay").click()
    told(page, "were stored")
    faults += axe.violations(page)
