"""Rooms stand on each other one way (docs/architecture.md): by imports, by templates, and by what a request carries."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.http import HttpRequest
from django.template.backends.django import get_installed_libraries

from tests.harness.server import ROOT

# From the ground up; a package may use itself and those before it.
ORDER = ["runtime", "keys", "collect", "reporting", "console", "thrad_events"]
NOT_OF_THE_SERVER = ["tests", "bench"]


def above(package: str) -> set[str]:
    return {*ORDER[ORDER.index(package) + 1 :], *NOT_OF_THE_SERVER}


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", ORDER)
def test_package_imports_downwards_only(package: str) -> None:
    found = list(modules(package))
    assert found
    assert {
        (path, name) for path, tree in found for name in imported(tree) if name.split(".")[0] in above(package)
    } == set()


# --- what a request carries ---


def declared() -> dict[str, set[str]]:
    """The packages whose subclasses of `HttpRequest` declare an attribute."""
    found: dict[str, set[str]] = {}
    for package in ORDER:
        for _, tree in modules(package):
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and node.name.endswith("Request"):
                    for line in node.body:
                        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                            found.setdefault(line.target.id, set()).add(package)
    return found


def read_of_requests(tree: ast.Module) -> Iterator[str]:
    """The attributes that are read of something called a request, also through `cast` and `getattr`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.search(r"request\)?$", ast.unparse(node.value).lower()):
            yield node.attr
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) > 1:
            of, name = node.args[:2]
            if ast.unparse(of) == "request" and isinstance(name, ast.Constant):
                yield str(name.value)


def test_what_a_request_carries_is_declared_and_read_no_lower_than_it_is_set() -> None:
    homes = declared()
    assert homes.keys() >= {"request_id", "client_address", "enrichment", "auth"}
    # Django's own, and what its middlewares and the resolver add.
    usual = {*dir(HttpRequest), *vars(HttpRequest()), "user", "session", "resolver_match", "request"}
    for package in ORDER:
        for path, tree in modules(package):
            for name in {*read_of_requests(tree)} - usual:
                assert homes.get(name, set()) - above(package), f"{path} reads request.{name}"


# --- templates ---


def package_of_template(path: Path) -> str:
    """The pages of the admin are the console's, and reports reporting's; whatever else there is belongs to the roof."""
    if path.parent.name == "reporting":
        return "reporting"
    return "console" if "admin" in path.parts or path.name == "error.html" else "thrad_events"


def test_templates_load_no_tag_of_a_package_above_theirs() -> None:
    libraries = get_installed_libraries()
    templates = sorted((ROOT / "templates").rglob("*.html"))
    assert templates
    for path in templates:
        for loaded in re.findall(r"\{%\s*load\s+([^%]+?)\s*%\}", path.read_text()):
            for name in loaded.split():
                package = libraries[name].split(".")[0]
                assert package not in above(package_of_template(path)), f"{path.relative_to(ROOT)} loads {name}"
    for package in ORDER[: ORDER.index("console")]:
        assert not [*(ROOT / package).rglob("*.html"), *(ROOT / package).rglob("templatetags")], package


# --- relations that a foreign key makes in the other direction ---


@pytest.mark.parametrize("package", ["keys"])
def test_package_reads_no_relation_that_an_app_above_it_makes(package: str) -> None:
    relations = {
        relation.get_accessor_name()
        for model in apps.get_app_config(package).get_models()
        for relation in model._meta.related_objects
        if relation.related_model._meta.app_label in above(package)
    }
    assert {"events", "rejections"} <= relations
    for path, tree in modules(package):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert node.attr not in relations, f"{path}:{node.lineno} reads {node.attr}"
            if isinstance(node, ast.Constant):
                assert str(node.value).split("__")[0] not in relations, f"{path}:{node.lineno} names {node.value!r}"


def test_measurements_use_nothing_of_the_tests_but_the_harness() -> None:
    for path, tree in modules("bench"):
        for name in imported(tree):
            assert not name.startswith("tests.") or name.startswith("tests.harness"), f"{path} imports {name}"
