"""The files, functions and headings that are named in the documentation, in hints and in messages: they are there."""

import ast
import re
from pathlib import Path

import pytest

from tests.harness.server import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "bench" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FILES = [
    path.relative_to(ROOT)
    for pattern in ("*.py", "*.html", "*.css", "*.js")
    for path in ROOT.rglob(pattern)
    if not {".venv", "var", "node_modules"} & set(path.relative_to(ROOT).parts)
]
NAMED = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|html|css|js))`")
# A file and something in it, beside each other.
DEFINED = re.compile(r"`((?:[\w.-]+/)*\w+\.py)`,? `([A-Za-z_][\w.]*)`")

# Where the program, a template or a page sends somebody, and where a link leads.
HEADING = re.compile(r"""\bdocs/(\w+\.md)`?, "?([A-Z][^.,;:)"'`\n]*)""")
LINK = re.compile(r"\]\((?:([\w/.-]+\.md))?#([\w-]+)\)")
SENDERS = [
    *(ROOT / path for path in FILES if path.parts[0] != "tests"),
    *PAGES,
    *(ROOT / name for name in (".env.example", "CHANGELOG.md", "Makefile", "SECURITY.md")),
]


def found(name: str) -> list[Path]:
    """The files that are meant by a name, which may leave out the folders in front of it."""
    return [path for path in FILES if path.match(name)]


def definitions(path: Path) -> set[str]:
    """What a module defines at its top and in its classes."""
    names = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    assert [name for name in sorted(set(NAMED.findall(text))) if not found(name)] == []
    for name, definition in DEFINED.findall(text):
        is_file = definition.endswith(".py")
        assert is_file or any(definition in definitions(path) for path in found(name)), f"{definition} is not in {name}"


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.MULTILINE)


def test_every_heading_to_which_somebody_is_sent_exists() -> None:
    sent = {named: path.name for path in SENDERS for named in HEADING.findall(path.read_text())}
    # What follows a comma in a heading may be left out.
    there = {
        (page.name, form)
        for page in (ROOT / "docs").glob("*.md")
        for heading in headings(page)
        for form in (heading, heading.partition(",")[0])
    }
    assert {named: sender for named, sender in sent.items() if named not in there} == {}
    assert len(sent) > 5


def test_every_link_leads_to_a_heading() -> None:
    """By the anchors that GitHub gives: small letters, no marks, a hyphen for each blank."""
    for page in PAGES:
        for name, anchor in LINK.findall(page.read_text()):
            there = headings((page.parent / name).resolve() if name else page)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in there}
            assert anchor in anchors, f"{page.name}: {name}#{anchor}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_are_as_long_as_those_of_the_code(page: Path) -> None:
    """Tables and examples aside, which cannot be broken."""
    text = re.sub(r"^ *```.*?^ *```|^\|[^\n]*", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in text.splitlines() if len(line) > 120] == []


def test_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {path.parts[0] for path in FILES if len(path.parts) > 1 and (ROOT / path.parts[0] / "__init__.py").exists()}
    assert [room for room in sorted(rooms) if f"{room}/" not in text] == []
    assert len(NAMED.findall(text)) > 30
