"""Every answer of the console has the policy, is kept by no cache, and needs nothing that the policy forbids."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from collect.models import Event, Rejection
from collect.storage import store
from console import error_pages, policy
from runtime.refusals import Code, Refusal
from tests.console.key_pages import LIST
from tests.harness import factories
from tests.harness.server import ROOT

pytestmark = pytest.mark.django_db

LINKS = ("href", "src", "action", "formaction")


class Inline(HTMLParser):
    """Finds what a browser would run or apply only with 'unsafe-inline'."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag, whose attributes come in small letters."""
        names = dict(attrs)
        is_script = tag == "script" and "src" not in names and names.get("type") != "application/json"
        if is_script or tag == "style" or "style" in names:
            self.found.append(f"{tag} {attrs}")
        self.found += [f"{tag} {name}" for name in names if name.startswith("on")]
        self.found += [f"{tag} {names[name]}" for name in LINKS if (names.get(name) or "").startswith("javascript:")]


def inline(html: str) -> list[str]:
    parser = Inline()
    parser.feed(html)
    parser.close()
    return parser.found


def directives(header: str) -> dict[str, set[str]]:
    parts = [part.split() for part in header.split(";")]
    return {name: set(values) for name, *values in parts}


@pytest.fixture
def addresses(console: Client) -> list[str]:
    """The pages of the console, with one of everything on them."""
    key, _ = factories.issue()
    store.write([factories.arrival(factories.source(key))])
    factories.reject(Refusal(Code.INVALID_JSON, "no"), factories.source(key), b"{", request_id="r")
    lists = [
        "collect/event",
        "collect/rejection",
        "collect/rejectiontally",
        "keys/keychange",
        "keys/partner",
        "auth/user",
    ]
    rows = [f"collect/event/{Event.objects.get().pk}", f"collect/rejection/{Rejection.objects.get().pk}"]
    rows += [f"keys/partner/{key.partner_id}", f"keys/apikey/{key.pk}"]
    forms = ["keys/apikey/add/", "keys/partner/add/", "auth/user/add/", "password_change/"]
    steps = [f"{LIST}{key.pk}/{step}/" for step in ("rotate", "revoke", "extend", "issued")]
    return [
        "/admin/",
        *(f"/admin/{name}/" for name in lists),
        *(f"/admin/{name}/change/" for name in rows),
        *(f"/admin/{name}" for name in forms),
        *steps,
        LIST,
    ]


def protected(answer: Any) -> bool:
    """Whether the answer of a test client has all headers."""
    return (
        answer.headers["Content-Security-Policy"] == policy.CONSOLE
        and answer.headers["X-Frame-Options"] == "DENY"
        and "no-store" in answer.headers["Cache-Control"]
        and "private" in answer.headers["Cache-Control"]
    )


def test_policy_lets_nothing_in_that_stands_in_a_page_or_comes_from_elsewhere() -> None:
    for header in (policy.CONSOLE, policy.DOCS):
        found = directives(header)
        assert {value for values in found.values() for value in values} <= {"'none'", "'self'", "data:"}
        assert "data:" not in found["script-src"] | found["style-src"] | found["default-src"]
        for name in ("default-src", "object-src", "base-uri", "frame-ancestors"):
            assert found[name] == {"'none'"}, name
        assert found["form-action"] == found["script-src"] == found["style-src"] == {"'self'"}


def test_every_page_has_the_policy_and_needs_nothing_inline(console: Client, addresses: list[str]) -> None:
    for address in addresses:
        answer = console.get(address)
        assert answer.status_code == 200, address
        assert protected(answer), address
        assert inline(answer.content.decode()) == [], address


def other_answers(console: Client) -> Iterator[tuple[str, Any]]:
    yield "the log-in", Client().get("/admin/login/")
    yield "a redirect to it", Client().get("/admin/keys/apikey/")
    yield "what is not there", console.get("/admin/nothing/")
    yield "NUL in the address", console.get("/admin/keys/apikey/?q=%00")
    yield "a host that is not ours", console.get("/admin/", headers={"host": "elsewhere.example"})
    yield "a search", console.post(LIST, {"q": "x"})
    yield "names for a select", console.get("/admin/autocomplete/?app_label=keys&model_name=apikey&field_name=partner")
    yield "a form without a token", Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x"})
    yield "words for a script", console.get("/admin/jsi18n/")
    for _ in range(5):
        locked = Client().post("/admin/login/", {"username": "x", "password": "y"})
    yield "too many log-ins", locked


def test_every_other_answer_of_the_console_has_the_policy(console: Client, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    found = list(other_answers(console))
    assert [name for name, answer in found if not protected(answer)] == []
    kinds = {name: answer.status_code for name, answer in found}
    assert kinds["too many log-ins"] == 429
    assert (kinds["what is not there"], kinds["a form without a token"], kinds["a search"]) == (404, 403, 302)
    for name, answer in found:
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert inline(answer.content.decode()) == [], name


def test_page_of_an_outage_has_the_policy(rf: RequestFactory) -> None:
    answer = error_pages.server_error(rf.get("/admin/"))
    assert answer["Content-Security-Policy"] == policy.CONSOLE
    assert "no-store" in answer["Cache-Control"]
    assert inline(answer.content.decode()) == []


def test_senders_are_told_no_policy(client: Client) -> None:
    assert "Content-Security-Policy" not in client.post("/api/collect", {}).headers


def test_docs_of_the_api_have_a_policy_and_nothing_inline(client: Client) -> None:
    page = client.get("/api/docs")
    assert page.headers["Content-Security-Policy"] == policy.DOCS
    assert inline(page.content.decode()) == []
    sources = re.findall(r'<script src="([^"]+)"', page.content.decode())
    assert sources[-1] == "/api/docs?script="
    script = client.get(sources[-1])
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert script.headers["Content-Security-Policy"] == policy.DOCS
    assert "SwaggerUIBundle" in script.content.decode()


# Those of reporting are files that are sent to people, with a policy of their own (tests/reporting/formats).
_TEMPLATES = [path for path in sorted((ROOT / "templates").rglob("*.html")) if path.parent.name != "reporting"]


@pytest.mark.parametrize("path", _TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_an_inline_script_or_style(path: object) -> None:
    text = re.sub(r"(?s)\{%.*?%\}|\{\{.*?\}\}", "", (ROOT / str(path)).read_text())
    assert inline(text) == []


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>",
        "<style>a {}</style>",
        '<p style="color: red">',
        "<IMG OnError=x>",
        '<a href="javascript:1">',
        '<svg><script type="module">1</script></svg>',
    ],
)
def test_what_is_inline_is_found(html: str) -> None:
    assert len(inline(html)) == 1
    assert inline(html.replace("<", "&lt;")) == []
