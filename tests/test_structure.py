"""The house stays in order: small functions, modules that fit in a head, folders that one look takes in."""

import ast
import statistics
from collections import Counter
from pathlib import Path

from tests.harness.server import ROOT

ROOMS = ("runtime", "keys", "collect", "reporting", "console", "thrad_events", "bench")
MODULES_IN_A_FOLDER = 16
LINES_OF_A_MODULE = 300
LINES_OF_A_FUNCTION = 40
MEDIAN_OF_FUNCTIONS = 8


def modules(*folders: str) -> list[Path]:
    """The modules in these folders, without migrations, which nobody edits again."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in paths if "migrations" not in path.parts]


def sizes() -> dict[str, int]:
    """The lines of each function of the program."""
    found = {}
    for path in [*modules(*ROOMS), ROOT / "gunicorn.conf.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                found[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = lines
    return found


def test_functions_are_small() -> None:
    found = sizes()
    assert {name: lines for name, lines in found.items() if lines > LINES_OF_A_FUNCTION} == {}
    assert statistics.median(found.values()) <= MEDIAN_OF_FUNCTIONS


def test_modules_fit_in_a_head() -> None:
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in modules(*ROOMS, "tests")}
    assert {name: number for name, number in lines.items() if number > LINES_OF_A_MODULE} == {}


def test_folders_are_taken_in_by_one_look() -> None:
    counts = Counter(path.parent.relative_to(ROOT) for path in modules(*ROOMS, "tests") if path.name != "__init__.py")
    assert {str(folder): number for folder, number in counts.items() if number > MODULES_IN_A_FOLDER} == {}
