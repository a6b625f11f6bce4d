"""The console works under its policy: every part that a script moves, in a browser that reports what is forbidden.

`faults` has each violation, each error of a script, and each request elsewhere; in the end of a test it is empty.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.watch import told
from tests.harness.collector import Collector

KEYS = "/admin/keys/apikey/"

# Told by the pages and their scripts, not by the database.
pytestmark = pytest.mark.once


def is_dark(page: Page) -> bool:
    dark: bool = page.evaluate("document.documentElement.classList.contains('dark')")
    return dark


def test_browser_runs_no_script_that_stands_in_a_page(open_page: OpenPage, faults: list[str]) -> None:
    page = open_page("/admin/")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = 'script'";
            document.body.append(script);
            const image = "<img src=/nowhere.svg onerror=\\"window.ran = 'handler'\\">";
            const styled = "<p id=styled style='display: none'>text</p>";
            document.body.insertAdjacentHTML("beforeend", image + styled);
        }"""
    )
    expect(page.locator("#styled")).to_be_visible()
    told(page, faults, "inline script", "inline style", "inline event handler")
    assert page.evaluate("window.ran") is None


def test_theme_is_chosen_and_kept(open_page: OpenPage) -> None:
    page = open_page("/admin/")
    assert not is_dark(page)
    page.locator("[x-on\\:click*=openUserLinks]").first.click()
    page.get_by_text("Dark", exact=True).click()
    page.wait_for_function("document.documentElement.classList.contains('dark')")
    page.reload()
    assert is_dark(page)
    page.keyboard.press("Control+e")
    page.wait_for_function("!document.documentElement.classList.contains('dark')")


def test_sidebar_closes_and_stays_closed(open_page: OpenPage) -> None:
    page = open_page("/admin/", width=1400)
    links = page.locator("#nav-sidebar-apps").get_by_role("link", name="API keys")
    expect(links).to_be_visible()
    page.get_by_text("dock_to_right").first.click()
    expect(links).to_be_hidden()
    page.reload()
    expect(links).to_be_hidden()
    page.get_by_text("dock_to_right").first.click()
    expect(links).to_be_visible()


def test_sidebar_opens_on_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page(KEYS, width=390)
    links = page.locator("#nav-sidebar-apps").get_by_role("link", name="API keys")
    expect(links).to_be_hidden()
    page.get_by_text("dock_to_right").last.click()
    expect(links).to_be_visible()
    page.get_by_text("close", exact=True).first.click()
    expect(links).to_be_hidden()


def test_filters_open_take_the_focus_and_give_it_back(open_page: OpenPage) -> None:
    page = open_page(KEYS)
    button, panel = page.get_by_role("button", name="Filters"), page.locator("#changelist-filter")
    expect(panel).to_be_hidden()
    button.click()
    expect(panel).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(panel.locator("a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    panel.get_by_role("link", name="Revoked").first.click()
    expect(page).to_have_url(re.compile(r"\?"))


def test_command_posts_what_is_typed_and_sends_nothing_before(open_page: OpenPage) -> None:
    page = open_page("/admin/")
    page.keyboard.press("Control+k")
    field = page.locator("#search-input-command")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    key = f"thrad_live_{'a' * 12}_{'b' * 49}"
    field.press_sequentially(key)
    # Longer than unfold's own box waits before it asks.
    page.wait_for_timeout(1_000)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/admin/find/\?q=thrad_live_a{12}$"))
    assert not [url for url in sent if "bbb" in url]


def test_slash_leads_into_the_search(open_page: OpenPage) -> None:
    page = open_page(KEYS)
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.keyboard.type("nothing like it")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=nothing"))


def test_rows_are_chosen_and_their_action_is_offered(open_page: OpenPage) -> None:
    page = open_page(KEYS)
    bar, run = page.locator("#changelist-actions"), page.get_by_role("button", name="Run")
    expect(bar).to_be_hidden()
    page.locator("input.action-select").first.check()
    expect(bar).to_be_visible()
    width = page.locator("#changelist-form").evaluate("form => form.offsetWidth")
    assert bar.evaluate("bar => bar.offsetWidth") == width
    expect(run).to_be_hidden()
    page.select_option("select[name=action]", "revoke_selected")
    expect(run).to_be_visible()


def test_partner_is_looked_up_and_one_more_added_beside_the_form(open_page: OpenPage) -> None:
    page = open_page(f"{KEYS}add/")
    page.locator(".select2-selection").first.click()
    page.locator(".select2-results__option").first.click()
    chosen = page.locator(".select2-selection__rendered").first
    expect(chosen).not_to_be_empty()
    page.get_by_text("more_vert").first.click()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Add another partner").click()
    popup.value.fill("[name=name]", "Added beside")
    popup.value.click("[name=_save]")
    expect(chosen).to_contain_text("Added beside")


def test_day_and_time_are_picked(open_page: OpenPage) -> None:
    page = open_page(f"{KEYS}add/")
    page.locator("#calendarlink0").click()
    page.locator("#calendarbox0 td a", has_text=re.compile("^15$")).click()
    expect(page.locator("[name=expires_at_0]")).to_have_value(re.compile(r"^\d{4}-\d\d-15$"))
    page.locator("#clocklink0").click()
    page.locator("#clockbox0").get_by_role("link", name="Noon").click()
    expect(page.locator("[name=expires_at_1]")).to_have_value("12:00:00")


def test_steps_of_a_key_open_on_a_narrow_screen(open_page: OpenPage) -> None:
    page = open_page(f"{KEYS}1/change/", width=390)
    step = page.get_by_role("link", name="Rotate").first
    expect(step).to_be_hidden()
    page.locator("[x-on\\:click*=showActions]").click()
    expect(step).to_be_visible()


def test_saving_says_so_and_stays_on_the_page(open_page: OpenPage) -> None:
    page = open_page("/admin/keys/partner/add/")
    assert page.locator("#partner_form").get_attribute("action") == "/admin/keys/partner/add/"
    page.fill("[name=name]", "Saved under the policy")
    page.click("[name=_save]")
    expect(page.get_by_text(re.compile("was added successfully"))).to_be_visible()


def test_key_that_is_shown_once_is_copied(open_page: OpenPage) -> None:
    page = open_page(f"{KEYS}add/")
    page.locator(".select2-selection").first.click()
    page.locator(".select2-results__option").first.click()
    page.fill("[name=label]", "copied")
    page.click("[name=_save]")
    expect(page.locator("#raw-key")).to_contain_text("thrad_live_")
    page.get_by_role("button", name="Copy the key").click()
    expect(page.locator("#copy-outcome")).not_to_be_empty()


def test_docs_of_the_api_send_an_event(open_page: OpenPage, faults: list[str]) -> None:
    page = open_page("/api/docs")
    page.locator(".opblock-summary").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".responses-table.live-responses-table")).to_contain_text("401")
    assert all("status of 401" in fault for fault in told(page, faults, "status of 401"))


HOSTILE = [
    "<script>window.ran = 1</script>",
    "\"><img src=x onerror='window.ran = 1'>",
    "' onmouseover='window.ran=1' x='",
    "{{ constructor.constructor('window.ran = 1')() }}",
    "javascript:window.ran=1",
    "=1+1",
    "a\u202eb\u2066c\u200bd\u2028e\x1bf\x00g\u200fh",
]
SPELLED = "a\\u202eb\\u2066c\\u200bd\\u2028e\\x1bf\ufffdg\\u200fh"


def test_hostile_text_is_shown_as_text(open_page: OpenPage, site: Collector) -> None:
    for text in HOSTILE:
        assert (
            site.post({"event_name": text[:255], "tag_id": text, "params": {text: text}, "page_url": text}).status
            == 204
        )
    page = open_page("/admin/collect/event/")
    shown = page.locator("#changelist-form").inner_text()
    for text in [*HOSTILE[:-1], SPELLED]:
        assert text in shown, text
    for row in range(len(HOSTILE)):
        page.goto("/admin/collect/event/")
        page.locator("#result_list tbody a").nth(row).click()
        expect(page.locator("#content-main")).to_be_visible()
        assert page.evaluate("window.ran") is None
    assert page.evaluate("window.ran") is None
