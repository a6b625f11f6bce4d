"""Imports run one way: reporting -> collect -> keys, and the project's leaf modules import no app."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "keys": {"keys", "thrad_events"},
    "collect": {"collect", "keys", "thrad_events"},
}
LEAVES = {"thrad_events.circuit", "thrad_events.errors", "thrad_events.logs", "thrad_events.metrics"}
PACKAGES = {"keys", "collect", "reporting", "thrad_events", "tests", "bench"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package):
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts]


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_app_imports_downwards_only(package):
    for path in files(package):
        for name in imported(path):
            top = name.split(".")[0]
            assert top not in PACKAGES - MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {name}"
            if top == "thrad_events":
                assert any(name.startswith(leaf) for leaf in LEAVES), f"{path.relative_to(ROOT)} imports {name}"


def test_leaves_import_no_app():
    for leaf in LEAVES:
        for name in imported(ROOT / f"{leaf.replace('.', '/')}.py"):
            assert name.split(".")[0] not in {"keys", "collect", "reporting"}, f"{leaf} imports {name}"
