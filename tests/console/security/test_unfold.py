"""Our copies of unfold's files fit the version of unfold that is pinned. Where this fails, unfold has moved.

Then: compare each of its templates that is named here with ours of the same name, and take over what is new; look for
expressions that Alpine's CSP build does not take (statements, arrow functions, globals), inline scripts, inline styles
and strings bound to `x-bind:style`; write the new digests here; and run tests/browser/test_policy.py, which tries every
part of a page in a browser.
"""

import hashlib
import re
from contextlib import suppress
from pathlib import Path

import unfold
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.contrib.staticfiles import finders
from django.test import RequestFactory
from django.urls import NoReverseMatch, URLPattern, resolve, reverse

from tests.harness.server import ROOT
from tests.harness.values import some

UNFOLD = Path(unfold.__path__[0])
TEMPLATES = ROOT / "templates"
PINNED = "django-unfold==0.91.0"
# The first digits of the SHA-256 of unfold's own file.
DIGESTS = {
    "static/unfold/js/alpine/alpine.js": "3ed1eed252488921",
    "static/unfold/js/app.js": "be01a34d18a89dc9",
    "static/unfold/js/htmx/htmx.js": "69caefd0da922690",
    "templates/admin/actions.html": "b5332aace8e69192",
    "templates/admin/change_form.html": "e9824d4d8a447d97",
    "templates/admin/change_list.html": "5885c39760f6085d",
    "templates/admin/index.html": "9fdb849b7da18ccd",
    "templates/admin/search_form.html": "32c57965802858bd",
    "templates/unfold/helpers/boolean.html": "ccaf312fe7efd6b9",
    "templates/unfold/helpers/command.html": "ae6ce324d8536613",
    "templates/unfold/helpers/header_title.html": "b126ed2ab9ca1680",
    "templates/unfold/helpers/welcomemsg.html": "e8eab02522ba2319",
    "templates/unfold/layouts/skeleton.html": "66af9f0bb45f98ba",
}
# Alpine's CSP build, of npm's @alpinejs/csp 3.17.4, dist/cdn.min.js; the first that reads expressions was 3.15.
ALPINE = "3.17.4"
ALPINE_DIGEST = "0d18d7f8d7910e2e"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def overridden() -> dict[str, Path]:
    """The templates of unfold in whose place ours stand, by name."""
    names = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")}
    return {
        f"templates/{name}": UNFOLD / "templates" / name for name in names if (UNFOLD / "templates" / name).exists()
    }


def test_unfold_is_the_one_that_our_copies_are_of() -> None:
    assert PINNED in (ROOT / "requirements.txt").read_text().splitlines(), __doc__
    scripts = ["static/unfold/js/app.js", "static/unfold/js/alpine/alpine.js", "static/unfold/js/htmx/htmx.js"]
    found = {name: digest(path) for name, path in (overridden() | {name: UNFOLD / name for name in scripts}).items()}
    assert found == DIGESTS, __doc__


def test_colours_are_unfolds() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    colours = admin.site.each_context(request)["colors"]
    expected = {f"--color-{name}-{weight}": value for name, set_ in colours.items() for weight, value in set_.items()}
    found = re.findall(r"(--color-[\w-]+): ([^;]+);", (ROOT / "console/static/console/colours.css").read_text())
    assert dict(found) == expected
    assert len(found) == len(expected) > 20


def test_alpine_is_the_csp_build_and_has_its_licence() -> None:
    path = Path(some(finders.find("console/vendor/alpine-csp.js")))
    assert digest(path) == ALPINE_DIGEST
    script = path.read_text()
    assert f'version:"{ALPINE}"' in script
    assert not re.search(r"\bnew (Async)?Function\(|\beval\(", script)
    licence = (path.parent / "LICENSE").read_text()
    assert "Caleb Porzio" in licence
    assert "Vue" in licence


def test_every_function_that_a_page_asks_alpine_for_is_registered() -> None:
    registered = set(re.findall(r'Alpine\.data\("(\w+)"', (ROOT / "console/static/console/alpine.js").read_text()))
    templates = [*TEMPLATES.rglob("*.html"), *(UNFOLD / "templates").rglob("*.html")]
    asked = {name for path in templates for name in re.findall(r'x-data="(\w+)\(', path.read_text())}
    assert asked == registered


def test_no_page_of_ours_stands_at_an_address_of_the_admin() -> None:
    """Ours are found first: unfold's command would look for its words at a page of ours, and find nothing."""
    names = {pattern.name for pattern in admin.site.get_urls() if isinstance(pattern, URLPattern) and pattern.name}
    names -= {"index"}  # the overview stands there on purpose
    found = 0
    for name in names:
        with suppress(NoReverseMatch):  # one with parameters
            assert resolve(reverse(f"admin:{name}")).namespaces == ["admin"], name
            found += 1
    assert found > 5
