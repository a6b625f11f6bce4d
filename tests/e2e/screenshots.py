"""`python -m tests.e2e.screenshots [DIRECTORY]`: an operator's walks through the console, in Chromium, for the docs.

Keys: issue, use, rotate, watch the old key's use, extend, revoke. Then the month of `seed_demo`: what fails, who sends
it, since when, and how it is mended. Light, and with `--all` also dark and narrow. It serves databases of its own and
leaves nothing behind but the images.
"""

import argparse
import json
import os
import re
import tempfile
from http.client import HTTPConnection
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.browser import chromium
from tests.browser.site import make_superuser
from tests.harness.collector import manage
from tests.harness.server import ROOT, Server, serve

WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=420, height=900)
RAW_KEY = re.compile(r"thrad_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


def send(server: Server, raw_key: str, events: int) -> None:
    """Send so many events with the key, one by one."""
    connection = HTTPConnection(server.host, server.port, timeout=10)
    headers = {"Authorization": f"Bearer {raw_key}", "Content-Type": "application/json"}
    for _ in range(events):
        connection.request("POST", "/api/collect", json.dumps({"event_name": "order_created"}), headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 204, response.status
    connection.close()


def raw_key_on(page: Page) -> str:
    """The key that the page shows this once; AssertionError where it shows none."""
    found = RAW_KEY.search(page.inner_text("#raw-key"))
    assert found
    return found[0]


def log_in(page: Page, server: Server) -> None:
    """Use the console's form."""
    page.goto(f"{server.url}/admin/login/")
    page.fill("[name=username]", "olga")
    page.fill("[name=password]", "a long password")
    page.press("[name=password]", "Enter")
    page.wait_for_load_state()


def look_around(page: Page, server: Server, directory: Path) -> None:
    """Go through a month of traffic: what came in, what is refused since when by which build, and how it is mended."""
    log_in(page, server)
    pages = {"overview": "", "live": "live/", "ledger": "ledger/?range=7d", "partners": "partners/"}
    for name, address in pages.items():
        page.goto(f"{server.url}/admin/{address}")
        page.wait_for_timeout(500)
        page.screenshot(path=directory / f"{name}.png", full_page=name == "overview")
    look_at_reports(page, server, directory)
    page.goto(f"{server.url}/admin/partners/")
    page.get_by_role("link", name="Harbor Home Loans").first.click()
    page.screenshot(path=directory / "partner.png")
    page.goto(f"{server.url}/admin/rejections/")
    page.screenshot(path=directory / "rejections.png")
    page.get_by_role("row").filter(has_text="Northwind").get_by_role("link").first.click()
    page.screenshot(path=directory / "group.png")
    page.goto(page.url.partition("?")[0] + "mend/")
    page.get_by_role("link", name="turn timestamp into a number").click()
    page.get_by_role("button", name="Preview all").click()
    page.get_by_text("would be stored").wait_for()
    page.screenshot(path=directory / "mend.png")
    page.goto(f"{server.url}/admin/collect/event/")
    page.locator("#result_list tbody tr a").first.click()
    page.get_by_role("link", name="Why it came out so").click()
    page.wait_for_timeout(500)
    page.screenshot(path=directory / "event.png")


def look_at_reports(page: Page, server: Server, directory: Path) -> None:
    """One report from counts, which has a chart, and one from events, which is counted meanwhile."""
    for name, address in {"report": "daily/?tz=Europe/Berlin", "report-params": "params/?event=order_created"}.items():
        page.goto(f"{server.url}/admin/reports/{address}")
        page.locator(".reports-stated").wait_for()
        page.screenshot(path=directory / f"{name}.png")


def walk(page: Page, server: Server, directory: Path) -> None:
    """Go through the pages of keys, in the order in which an operator comes by them."""
    log_in(page, server)
    page.goto(f"{server.url}/admin/keys/partner/add/")
    page.fill("[name=name]", "Acme")
    page.click("[name=_save]")
    page.goto(f"{server.url}/admin/keys/apikey/add/")
    page.evaluate("document.querySelector('[name=partner]').append(new Option('Acme', '1', true, true))")
    page.fill("[name=label]", "order service")
    page.fill("[name=tags]", "site:unknown\nadv_acme_*")
    page.fill("[name=per_second]", "1000")
    page.screenshot(path=directory / "issue.png", full_page=True)
    page.click("[name=_save]")
    old = raw_key_on(page)
    page.screenshot(path=directory / "issued.png")
    send(server, old, 12)
    page.goto(f"{server.url}/admin/keys/apikey/1/rotate/")
    page.screenshot(path=directory / "rotate.png")
    page.get_by_text("Rotate and show the new key").click()
    new = raw_key_on(page)
    send(server, old, 3)
    send(server, new, 20)
    page.wait_for_timeout(3_000)  # the moment of the last use is written every two seconds
    page.goto(f"{server.url}/admin/keys/apikey/2/change/")
    page.screenshot(path=directory / "key.png", full_page=True)
    page.goto(f"{server.url}/admin/")
    page.screenshot(path=directory / "warnings.png")
    page.goto(f"{server.url}/admin/keys/apikey/2/change/")
    page.get_by_text("Extend by 24 hours").first.click()
    page.goto(f"{server.url}/admin/keys/apikey/1/revoke/")
    page.screenshot(path=directory / "revoke.png")
    page.get_by_text("Yes, revoke").click()
    page.wait_for_timeout(500)
    page.screenshot(path=directory / "revoked.png", full_page=True)
    page.goto(f"{server.url}/admin/keys/apikey/")
    page.screenshot(path=directory / "keys.png")
    page.goto(f"{server.url}/admin/keys/keychange/")
    page.screenshot(path=directory / "history.png")


def look(directory: Path, scheme: Literal["light", "dark"], size: ViewportSize) -> None:
    """One walk from an empty database, and one through the demo's."""
    directory.mkdir(parents=True, exist_ok=True)
    for go, has_demo in ((walk, False), (look_around, True)):
        with tempfile.TemporaryDirectory() as scratch:
            url = f"sqlite:///{scratch}/events.sqlite3"
            manage(url, "migrate", "-v0")
            make_superuser(url)
            if has_demo:
                manage(url, "seed_demo", "--events", "20000")
                manage(url, "rollup")
            with serve(url) as server, sync_playwright() as playwright:
                browser = chromium.launch(playwright)
                go(browser.new_page(viewport=size, color_scheme=scheme), server, directory)
                browser.close()


def main() -> None:
    """Make the images."""
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="also dark and narrow, in directories of their own")
    arguments = parser.parse_args()
    os.environ |= {"SECRET_KEY": "screenshots", "ENV_FILE": os.devnull, "GEOIP_PATH": "", "LOG_LEVEL": "WARNING"}
    look(arguments.directory, "light", WIDE)
    if arguments.all:
        look(arguments.directory / "dark", "dark", WIDE)
        look(arguments.directory / "narrow", "light", NARROW)


if __name__ == "__main__":
    main()
