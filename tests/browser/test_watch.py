"""The watch and axe see what is wrong: a page with every fault has all of them named."""

from tests.browser import axe
from tests.browser.conftest import OpenPage
from tests.browser.watch import told


def test_every_fault_of_a_page_is_named(open_page: OpenPage, faults: list[str]) -> None:
    page = open_page("/admin/", bypass_csp=True)
    with page.expect_event("requestfailed"):
        page.evaluate("fetch('http://127.0.0.1:1/elsewhere').catch(() => console.error('it failed'))")
    with page.context.expect_event("weberror"):
        page.evaluate("setTimeout(() => { throw new Error('it was thrown') })")
    assert page.evaluate("fetch('/admin/nowhere/').then((response) => response.status)") == 404
    told(
        page,
        faults,
        "request to another host: http://127.0.0.1:1/elsewhere",
        "failed request (net::ERR_",
        "it failed",
        "script error",
        "it was thrown",
        "/admin/nowhere/: Failed to load resource",
    )


def test_axe_names_grave_violations_alone(open_page: OpenPage) -> None:
    page = open_page("/admin/", bypass_csp=True)
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\"><h6>a jump</h6>')")
    found = axe.violations(page)
    assert [violation.partition(" ")[0] for violation in found] == ["html-has-lang", "image-alt"]
