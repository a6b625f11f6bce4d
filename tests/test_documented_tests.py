"""The tests that the documentation names as proof: they are there."""

import ast
import re
from pathlib import Path

import pytest

from tests.harness.server import ROOT

PAGES = [page.name for page in sorted((ROOT / "docs").glob("*.md"))]
NAMED = re.compile(r"(tests/[\w/]+\.py)::(\w+)")


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = set(NAMED.findall((ROOT / "docs" / page).read_text()))
    assert {(path, name) for path, name in named if name not in functions(ROOT / path)} == set()
    assert page != "security.md" or len(named) > 40
