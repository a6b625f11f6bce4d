"""A report in one file, as somebody opens it who was sent it: from a disk, in both colours, on a phone, on paper."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from reporting.formats.presentation import Presentation, render
from reporting.reports.answer import Answer, Column, Kind, Table
from tests.browser import axe
from tests.reporting.formats.answers import HOSTILE

pytestmark = pytest.mark.once
MADE_AT = datetime(2026, 11, 26, 15, tzinfo=UTC)
LOOKS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with many columns, currencies, and texts that would do something if they could."""
    kinds = (Kind.TEXT, Kind.COUNT, Kind.AMOUNT, Kind.TEXT, Kind.SHARE, Kind.MOMENT, Kind.TEXT)
    names = ("partner", "events", "value", "currency", "share", "last_event", "text")
    columns = tuple(Column(name, kind, f"What {name} is.") for name, kind in zip(names, kinds, strict=True))
    rows = [
        ("Acme", n * n, Decimal(n) / 8, ("EUR", "JPY")[n % 2], n / 20, MADE_AT - timedelta(hours=n), text * 3)
        for n, text in enumerate(HOSTILE)
    ]
    table = Table("daily", "By day", columns, rows, ["What is left out is said here."])
    answer = Answer("made", HOSTILE[8], {"time zone": "UTC", "partner": HOSTILE[9]}, (table,), HOSTILE)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(render("html", answer, Presentation(command="manage.py report made", made_at=MADE_AT)))
    return path


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def page(request: pytest.FixtureRequest, browser: Browser, file: Path, faults: list[str]) -> Iterator[Page]:
    """The file in a browser, which is watched for errors and requests."""
    scheme, width = request.param
    yield from opened(browser, file, faults, scheme, width)


def opened(
    browser: Browser,
    file: Path,
    faults: list[str],
    scheme: Literal["light", "dark"],
    width: int,
    *,
    bypass: bool = False,
) -> Iterator[Page]:
    context = browser.new_context(
        color_scheme=scheme, viewport=ViewportSize(width=width, height=900), bypass_csp=bypass
    )
    page = context.new_page()
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("request", lambda found: faults.append(found.url) if not found.url.startswith("file:") else None)
    page.goto(file.as_uri())
    yield page
    context.close()


def brightness(page: Page, of: str) -> int:
    """The sum of the three colours of the page's ground or letters, which its style gives."""
    value: int = page.evaluate(
        f"getComputedStyle(document.body).{of}.match(/\\d+/g).slice(0, 3).reduce((a, b) => +a + +b, 0)"
    )
    return int(value)


def test_page_is_styled_fits_and_does_nothing(page: Page, request: pytest.FixtureRequest) -> None:
    is_dark = "dark" in request.node.name
    assert (brightness(page, "backgroundColor") < 200) is is_dark
    assert (brightness(page, "color") > 500) is is_dark
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("rect.part").count() == len(HOSTILE)
    # Paper is light.
    page.emulate_media(media="print")
    assert brightness(page, "backgroundColor") == 3 * 255
    assert brightness(page, "color") < 400


@pytest.mark.parametrize(("scheme", "width"), LOOKS[1:3])
def test_page_keeps_nobody_out(
    browser: Browser, file: Path, faults: list[str], scheme: Literal["light", "dark"], width: int
) -> None:
    for page in opened(browser, file, faults, scheme, width, bypass=True):
        assert axe.violations(page) == []
