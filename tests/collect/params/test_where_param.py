"""What `where_param` finds: by a table of cases, and by any params held to a small model. The same on each database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from collect.intake.source import Source
from collect.models import Event
from collect.params import upkeep
from collect.params.paths import Path
from tests.collect.params import sent
from tests.harness import databases, factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(db: None) -> Source:
    return factories.source(factories.issue()[0])


# --- cases ---

BIG = 2**63
# Params, a path, conditions, and whether the event is found.
CASES: list[tuple[str, Path, dict[str, Any], bool]] = [
    ('{"value": 60}', "value", {"gte": 50}, True),
    ('{"value": "60"}', "value", {"gte": 50}, False),
    ('{"value": true}', "value", {"gte": 0}, False),
    ('{"value": true}', "value", {"eq": 1}, False),
    ('{"value": 1}', "value", {"eq": True}, False),
    ('{"value": true}', "value", {"eq": True}, True),
    ('{"value": false}', "value", {"eq": True}, False),
    ('{"value": false}', "value", {"eq": False}, True),
    ('{"value": 0}', "value", {"eq": False}, False),
    ('{"value": "true"}', "value", {"eq": True}, False),
    ('{"value": true}', "value", {"eq": "true"}, False),
    ('{"value": 50}', "value", {"eq": "50"}, False),
    ('{"value": "50"}', "value", {"eq": "50"}, True),
    ('{"value": "50"}', "value", {"eq": 50}, False),
    ('{"value": 50.00}', "value", {"eq": 50}, True),
    ('{"value": 5e1}', "value", {"eq": 50}, True),
    ('{"value": 58.1}', "value", {"eq": 58.1}, True),
    ('{"value": 58.10}', "value", {"eq": Decimal("58.1")}, True),
    ('{"value": 0.1}', "value", {"lte": 0.1}, True),
    ('{"value": 0.10000000000000001}', "value", {"lte": 0.1}, False),
    ('{"value": 0.10000000000000001}', "value", {"gt": 0.1}, True),
    ('{"value": -0.0}', "value", {"eq": 0}, True),
    ('{"value": -5}', "value", {"lt": -4, "gt": -6}, True),
    ('{"value": -5}', "value", {"lt": -4, "gt": -5}, False),
    (f'{{"value": {BIG}}}', "value", {"eq": BIG}, True),
    (f'{{"value": {BIG}}}', "value", {"eq": BIG + 1}, False),
    (f'{{"value": {BIG + 1}}}', "value", {"gt": BIG}, True),
    (f'{{"value": {BIG}}}', "value", {"gt": BIG}, False),
    (f'{{"value": {2**53 + 1}}}', "value", {"eq": 2**53}, False),
    (f'{{"value": 1{"0" * 400}}}', "value", {"gt": 10**399}, True),
    (f'{{"value": 1{"0" * 400}}}', "value", {"gt": Decimal("1e400")}, False),
    (f'{{"value": 1{"0" * 400}}}', "value", {"eq": Decimal("1e400")}, True),
    (f'{{"value": -1{"0" * 400}}}', "value", {"lt": Decimal("-1e399")}, True),
    ('{"value": 1e-400}', "value", {"gt": 0}, True),
    ('{"value": 1e-400}', "value", {"eq": 0}, False),
    ('{"value": null}', "value", {"eq": 0}, False),
    ('{"value": null}', "value", {"lte": ""}, False),
    ('{"value": [50]}', "value", {"eq": 50}, False),
    ('{"value": {"value": 50}}', "value", {"eq": 50}, False),
    ('{"value": "[1]"}', "value", {"eq": "[1]"}, True),
    ('{"value": [1]}', "value", {"eq": "[1]"}, False),
    # Texts are in the order of their code points, whatever the language of the database.
    ('{"name": "b"}', "name", {"gt": "a", "lt": "c"}, True),
    ('{"name": "B"}', "name", {"gt": "a"}, False),
    ('{"name": "_"}', "name", {"lt": "a", "gt": "Z"}, True),
    ('{"name": "é"}', "name", {"gt": "z"}, True),
    ('{"name": "\\ud83d\\ude00"}', "name", {"gt": "\uffee"}, True),
    ('{"name": "caf\\u00e9"}', "name", {"eq": "café"}, True),
    ('{"name": "cafe\\u0301"}', "name", {"eq": "café"}, False),
    ('{"name": "Anna"}', "name", {"eq": "anna"}, False),
    ('{"name": ""}', "name", {"eq": ""}, True),
    ('{"name": ""}', "name", {"lte": ""}, True),
    ('{"name": 7}', "name", {"gte": ""}, False),
    ('{"name": "100 %"}', "name", {"eq": "100 %"}, True),
    # Nested objects and arrays.
    ('{"items": [{"sku": "a"}, {"sku": "b"}]}', "items.1.sku", {"eq": "b"}, True),
    ('{"items": [{"sku": "a"}, {"sku": "b"}]}', ("items", 0, "sku"), {"eq": "b"}, False),
    ('{"items": {"0": {"sku": "a"}}}', "items.0.sku", {"eq": "a"}, True),
    ('{"items": [1, 2]}', "items.2", {"exists": False}, True),
    ('{"items": [1, 2]}', "items.99999999999999999999", {"exists": True}, False),
    ('{"items": [1, 2]}', ("items", "01"), {"exists": True}, False),
    ('{"items": [1, 2]}', ("items", "-1"), {"exists": True}, False),
    ('{"items": [1, 2]}', ("items", " 1"), {"exists": True}, False),
    ('{"items": {"-1": 5}}', ("items", "-1"), {"eq": 5}, True),
    ('{"items": "abc"}', "items.0", {"exists": True}, False),
    ('{"a": {"b": 1}, "a.b": 2}', "a.b", {"eq": 1}, True),
    ('{"a": {"b": 1}, "a.b": 2}', ("a.b",), {"eq": 2}, True),
    ('{"a.b": {"c": 3}}', ("a.b", "c"), {"eq": 3}, True),
    ('{"0": 3}', "0", {"eq": 3}, True),
    ('{"q\\"q": 3}', 'q"q', {"eq": 3}, True),
    ('{"it\'s": 3}', "it's", {"eq": 3}, True),
    ('{"b\\\\c": 3}', "b\\c", {"eq": 3}, True),
    ('{"a\\/b": 3}', "a/b", {"eq": 3}, True),
    ('{"caf\\u00e9": 3}', "café", {"eq": 3}, True),
    ('{"%s": 3, "%%": 4}', "%s", {"eq": 3}, True),
    ('{"": 3}', ("",), {"eq": 3}, True),
    ('{"$": {"[0]": 3}}', "$.[0]", {"eq": 3}, True),
    ('{"Value": 3}', "value", {"exists": True}, False),
    ('{"not-plain": 3, "with blank": 4}', "with blank", {"eq": 4}, True),
    # Arrays have an element, texts a part.
    ('{"tags": ["red", "blue"]}', "tags", {"contains": "red"}, True),
    ('{"tags": ["redder"]}', "tags", {"contains": "red"}, False),
    ('{"tags": "redder"}', "tags", {"contains": "red"}, True),
    ('{"tags": "Redder"}', "tags", {"contains": "red"}, False),
    ('{"tags": "50 % off"}', "tags", {"contains": "% o"}, True),
    ('{"tags": "a_b"}', "tags", {"contains": "a%b"}, False),
    ('{"tags": ""}', "tags", {"contains": ""}, True),
    ('{"tags": []}', "tags", {"contains": ""}, False),
    ('{"tags": [1.0, "2"]}', "tags", {"contains": 1}, True),
    ('{"tags": [1.0, "2"]}', "tags", {"contains": 2}, False),
    ('{"tags": [1]}', "tags", {"contains": True}, False),
    ('{"tags": [true]}', "tags", {"contains": True}, True),
    ('{"tags": [[1]]}', "tags", {"contains": 1}, False),
    ('{"tags": 12}', "tags", {"contains": 1}, False),
    ('{"tags": "12"}', "tags", {"contains": 1}, False),
    ('{"tags": {"red": 1}}', "tags", {"contains": "red"}, False),
    (f'{{"tags": [{BIG + 1}]}}', "tags", {"contains": BIG}, False),
    # There, and null.
    ('{"a": null}', "a", {"exists": True}, True),
    ('{"a": null}', "a", {"exists": False}, False),
    ('{"a": null}', "a", {"is_null": True}, True),
    ('{"a": null}', "a", {"is_null": False}, False),
    ('{"a": 0}', "a", {"is_null": True}, False),
    ('{"a": 0}', "a", {"is_null": False}, True),
    ("{}", "a", {"is_null": True}, False),
    ("{}", "a", {"is_null": False}, False),
    ("{}", "a", {"exists": False}, True),
    ('{"a": {"b": null}}', "a.b", {"is_null": True}, True),
    ('{"a": [null]}', "a.0", {"is_null": True}, True),
    ('{"a": 5}', "a.b", {"exists": False}, True),
]


def found(path: Path, conditions: dict[str, Any]) -> bool:
    return Event.objects.where_param(path, **conditions).exists()


def parts(path: Path) -> list[str]:
    return [str(part) for part in (path.split(".") if isinstance(path, str) else path)]


@pytest.mark.parametrize(("params", "path", "conditions", "expected"), CASES)
def test_case(source: Source, params: str, path: Path, conditions: dict[str, Any], expected: bool) -> None:
    sent.keep(source, [params])
    assert found(path, conditions) is expected


@pytest.mark.parametrize(("params", "path", "conditions", "expected"), CASES)
def test_model_agrees_with_case(params: str, path: Path, conditions: dict[str, Any], expected: bool) -> None:
    assert sent.model(sent.read(params), parts(path), conditions) is expected


# --- any params ---

KEYS = ["value", "a", "a.b", "0", "1", "01", "-1", "it's", 'q"q', "é", "b\\c", "%s", "", "with blank", "$", "[0]", "A"]
EDGES = ["0", "-0", "1", "1.0", "50", "5e1", "-50", "0.1", "0.10000000000000001", "1e-400", "1e308", "-1e308", "1e30"]
EDGES += [f"{2**53}", f"{2**53 + 1}", f"{2**63}", f"{2**63 + 1}", f"-{2**64}", "1" + "0" * 400, "9" * 3_000, "1E-11"]
WORDS = ["", "1", "50", "true", "null", "a", "b", "ab", "A", "é", "e\u0301", "\U0001f600", "\uffee", "it's", "%", "_"]
WORDS += ["a" * 199, "a" * 200, "a" * 200 + "b", "a" * 3_000, "[1]", '{"a": 1}', "\\", '"']
numbers = st.sampled_from(EDGES) | st.integers().map(str) | st.decimals(-100, 100, places=2).map(str)
words = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
# As most encoders write texts, and as those of Python, PHP and Java do; names of letters alone are never escaped.
texts = st.builds(lambda word, escaped: json.dumps(word, ensure_ascii=escaped), words, st.booleans())
scalars = numbers | texts | st.sampled_from(["true", "false", "null"])


def objects(values: SearchStrategy[str]) -> SearchStrategy[str]:
    """Objects, none of which has a key twice."""
    members = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
    pairs = members.map(lambda found: [f"{json.dumps(key)}: {value}" for key, value in found.items()])
    return pairs.map(lambda found: "{" + ", ".join(found) + "}")


def arrays(values: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda found: f"[{', '.join(found)}]")


documents = objects(st.recursive(scalars, lambda inner: objects(inner) | arrays(inner), max_leaves=4))
paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3) | st.sampled_from([["value"], ["a"]])
compared = numbers.map(Decimal) | words | st.sampled_from([0, 1, 50, 2**63, 0.1, -0.0, 1e308])
operators = st.tuples(st.sampled_from(["eq", "gt", "gte", "lt", "lte", "contains"]), compared)
operators |= st.tuples(st.sampled_from(["eq", "contains", "exists", "is_null"]), st.booleans())
asked = st.lists(operators, min_size=1, max_size=2).map(dict)


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(documents=['{"value": 50}', '{"value": "50"}'], path=["value"], conditions={"gte": 50})
@given(st.lists(documents, min_size=1, max_size=8, unique=True), paths, asked)
def test_any_condition_finds_what_the_model_finds(
    source: Source, documents: list[str], path: list[str], conditions: dict[str, Any]
) -> None:
    with undone():
        sent.keep(source, documents)
        _agree(documents, path, conditions)


def _agree(documents: list[str], path: list[str], conditions: dict[str, Any]) -> None:
    matching = Event.objects.where_param(path, **conditions)
    numbers = sorted(int(event.event_id or "") for event in matching)
    expected = [n for n, text in enumerate(documents) if sent.model(sent.read(text), path, conditions)]
    assert numbers == expected


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(scalars, min_size=1, max_size=8, unique=True), asked)
def test_index_changes_no_answer(source: Source, values: list[str], conditions: dict[str, Any]) -> None:
    documents = [f'{{"value": {value}}}' for value in values]
    with undone():
        # Within a transaction, which a test is, PostgreSQL makes an index in the ordinary way alone.
        upkeep.run([upkeep.making("value")[0].replace("CONCURRENTLY ", "")])
        sent.keep(source, documents)
        if not databases.is_sqlite():
            upkeep.run(["SET LOCAL enable_seqscan = off"])
        _agree(documents, ["value"], conditions)
