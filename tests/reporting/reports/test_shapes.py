"""What documents have in common, compared with an oracle that keeps all of them."""

import json
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.reports import shapes
from reporting.reports.shapes import Shape

DOCUMENTS = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "a.b", "", 'q"']),
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.decimals(-9, 9, places=2) | st.text("xyz", max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b[]"]), inner, max_size=2)
            ),
            max_leaves=6,
        ),
        max_size=3,
    ),
    max_size=8,
)


def shape(documents: list[dict[str, Any]]) -> Shape:
    found = Shape()
    for document in documents:
        found.add(document)
    return found


def values(document: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """All values in a document with their paths, of which an element of an array has the part `[]`."""
    inner: list[tuple[str, Any]] = []
    if isinstance(document, dict):
        inner = [("." + key, value) for key, value in document.items()]
    elif isinstance(document, list):
        inner = [("[]", value) for value in document]
    return [(path, document)] + [found for part, value in inner for found in values(value, (*path, part))]


def spelled(path: tuple[str, ...]) -> str:
    shown = ""
    for part in path:
        if part == "[]":
            shown += part
        else:
            key = part[1:]
            is_plain = key and not set(key) & set('."[]')
            shown += ("." if shown else "") + (key if is_plain else '"' + key.replace('"', '\\"') + '"')
    return shown


def kind(value: Any) -> str:
    text = json.dumps(value, default=float)
    return {"n": "null", "t": "boolean", "f": "boolean", '"': "string", "{": "object", "[": "array"}.get(
        text[0], "number"
    )


@given(DOCUMENTS)
def test_shape_is_that_of_all_documents(documents: list[dict[str, Any]]) -> None:
    found = shape(documents)
    types: dict[str, Counter[str]] = {}
    having: dict[str, set[int]] = {}
    numbers: dict[str, list[Any]] = {}
    for place, document in enumerate(documents):
        for path, value in values(document)[1:]:
            name = spelled(path)
            types.setdefault(name, Counter())[kind(value)] += 1
            having.setdefault(name, set()).update([] if value is None else [place])
            numbers.setdefault(name, []).extend([value] if kind(value) == "number" else [])
    assert {name: path.types for name, path in found.paths.items()} == types
    assert {name: path.documents for name, path in found.paths.items()} == {k: len(v) for k, v in having.items()}
    for name, known in found.paths.items():
        assert (known.least, known.largest) == (
            (min(numbers[name]), max(numbers[name])) if numbers[name] else (None, None)
        )
    assert (found.documents, found.values_left_out) == (len(documents), 0)


@given(DOCUMENTS, st.integers(0, 100))
def test_order_of_the_documents_changes_nothing(documents: list[dict[str, Any]], seed: int) -> None:
    shuffled = documents.copy()
    Random(seed).shuffle(shuffled)
    first, second = (
        {name: (path.documents, path.examples) for name, path in shape(some).paths.items()}
        for some in (documents, shuffled)
    )
    assert first == second


def test_examples_are_distinct_few_and_cut() -> None:
    found = shape([{"a": value} for value in ["x", "x", "y" * 100, True, Decimal("5.0"), "z", 5, "w"]] * 3).paths["a"]
    assert len(found.examples) == 3 == len(set(found.examples))
    assert set(found.examples) <= {'"x"', '"' + "y" * 38 + "…", "true", "5", '"z"', '"w"'}
    few = shape([{"a": "y" * 100}, {"a": Decimal("5.0")}, {"a": 5}, {"a": None}, {"a": {"b": "\u202e"}}])
    assert few.paths["a"].examples == ['"' + "y" * 38 + "…", "5"]
    assert few.paths["a"].longest == 100
    assert few.paths["a.b"].examples == ['"\u202e"']


def test_paths_are_bounded_and_what_is_left_out_is_counted() -> None:
    found = shape([{f"id {n}": 1} for n in range(shapes.MOST_PATHS + 7)] + [{f"id {shapes.MOST_PATHS}": 1}])
    assert (len(found.paths), found.paths_left_out, found.values_left_out) == (shapes.MOST_PATHS, 7, 8)
    long = shape([{"k" * 1_000: {"a": 1}, "b": 1}])
    assert (list(long.paths), long.paths_left_out, long.values_left_out) == (["b"], 1, 1)


def test_paths_that_are_told_apart_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MOST_PATHS", 0)
    monkeypatch.setattr(shapes, "MOST_OTHERS", 5)
    found = shape([{f"id {n}": 1} for n in range(100)])
    assert (found.paths_left_out, found.values_left_out) == (5, 100)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (58, "58"),
        (Decimal("58.00"), "58"),
        (Decimal("-0.0"), "0"),
        (Decimal("1E+5"), "100000"),
        (Decimal("-12.50"), "-12.5"),
        (Decimal("0.001"), "0.001"),
        (Decimal("123456789012345678901234567890.123"), "123456789012345678901234567890.123"),
        (10**300, "1E+300"),
        (Decimal("-1.5E+308"), "-1.5E+308"),
        (Decimal("2.5E-300"), "2.5E-300"),
    ],
)
def test_number_has_all_its_digits_and_equal_ones_are_spelled_alike(value: Decimal | int, text: str) -> None:
    assert shapes.number(value) == text
    assert Decimal(text) == value
