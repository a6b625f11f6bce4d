"""Imports run one way, from the roof down: no package imports one that stands above it (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the ground up; a package may import itself and those before it.
ORDER = ["runtime", "keys", "collect", "thrad_events"]
NOT_OF_THE_SERVER = ["tests", "bench"]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", ORDER)
def test_package_imports_downwards_only(package):
    above = {*ORDER[ORDER.index(package) + 1 :], *NOT_OF_THE_SERVER}
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    up = {
        (str(path.relative_to(ROOT)), name) for path in paths for name in imported(path) if name.split(".")[0] in above
    }
    assert up == set()
