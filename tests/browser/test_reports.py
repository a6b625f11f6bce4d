"""A report's journey in a browser: opened, waited for, asked in another time zone, and taken along as a file."""

import csv
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import OpenPage
from tests.browser.test_pages import IN_BOTH, OVERFLOW, Scheme, settled
from tests.harness.collector import Collector

# A process is started for it.
PATIENCE_MS = 60_000


def answered(page: Page) -> None:
    """Wait until the answer is there; the page asks for it by itself."""
    expect(page.locator("#report-answer")).to_contain_text("As of", timeout=PATIENCE_MS)


def test_report_is_opened_waited_for_asked_anew_and_downloaded(
    site: Collector, open_page: OpenPage, tmp_path: Path
) -> None:
    assert site.post({"event_name": "lead_created", "event_id": "of a report"}).status == 204
    page = open_page("/admin/")
    page.get_by_role("link", name=re.compile(r"^(bar_chart )?Reports$")).click()
    page.get_by_role("link", name=re.compile("^How late events arrive")).click()
    answered(page)
    expect(page.get_by_role("heading", name="By partner")).to_be_visible()
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Show").click()
    assert parse_qs(urlsplit(page.url).query)["tz"] == ["Europe/Berlin"]
    answered(page)
    expect(page.locator(".reports-stated")).to_contain_text("Europe/Berlin")
    with page.expect_download() as download:
        page.get_by_role("link", name="All events as csv").click()
    path = tmp_path / "late.csv"
    download.value.save_as(path)
    heading, *rows = csv.reader(path.read_text().splitlines())
    assert heading == ["class", "events", "share", "longest_seconds"]
    shown = page.locator("section").filter(has=page.get_by_role("heading", name="All events")).locator("tbody tr")
    assert [row[0] for row in rows] == [shown.nth(n).locator("th").inner_text() for n in range(shown.count())]
    page.get_by_role("button", name="Ask again").click()
    answered(page)
    expect(page.get_by_role("button", name="Ask again")).to_be_visible(timeout=PATIENCE_MS)


def test_question_that_is_none_keeps_what_was_typed(open_page: OpenPage, faults: list[str]) -> None:
    page = open_page("/admin/reports/daily/")
    page.get_by_label("Time zone").fill("Mars")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("'Mars' is none")
    expect(page.get_by_label("Time zone")).to_have_value("Mars")
    # The browser itself notes the status of the page.
    faults[:] = [fault for fault in faults if "400" not in fault]


@pytest.mark.once
@IN_BOTH
def test_axe_finds_nothing_grave_on_reports(open_page: OpenPage, faults: list[str], scheme: Scheme, width: int) -> None:
    page = open_page("/admin/reports/", scheme=scheme, width=width, bypass_csp=True)
    names = [one["name"] for one in page.request.get("/admin/reports.json").json()["reports"]]
    assert "daily" in names
    for path in (*(f"{name}/" for name in names), "params/?event=order_created", "daily/?step=hour&by=partner"):
        settled(page, f"/admin/reports/{path}")
        if page.locator(".reports-waiting").count():
            faults += axe.violations(page)
            answered(page)
        for summary in page.locator("#report-answer summary").all():
            summary.click()
        faults += [f"{path}: {violation}" for violation in axe.violations(page)]
        if page.evaluate(OVERFLOW):
            faults.append(f"{path} can be moved sideways")
