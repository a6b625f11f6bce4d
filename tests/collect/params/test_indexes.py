"""An index on a key of `params`: it is used, it holds up no event, and it is listed under its key."""

import json
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from collect.intake.source import Source
from collect.models import Event
from collect.params import upkeep
from tests.collect.params import sent
from tests.harness import databases, factories, plans

ROWS = 8_000
pytestmark = pytest.mark.django_db


@pytest.fixture
def source(db: None) -> Source:
    return factories.source(factories.issue()[0])


def make(key: str) -> None:
    """Make the index within the test's transaction, in which PostgreSQL makes none beside others' work.

    Before the events, or the transaction itself could not use it: of those it may have changed some in place.
    """
    upkeep.run([statement.replace("CONCURRENTLY ", "") for statement in upkeep.making(key)])


def drop(key: str) -> None:
    upkeep.run([statement.replace("CONCURRENTLY ", "") for statement in upkeep.dropping(key)])


def fill(key: Any) -> None:
    """Store many events: the number n has `value` n, every tenth a text `code`; one in a thousand is `rare`."""
    plans.fill(key, ROWS)
    of_n = "substr(event_id, 6)"
    if databases.is_sqlite():
        value = f"json_object('value', CAST({of_n} AS INTEGER), 'code', 'code-' || {of_n})"
        rare = f"CASE WHEN {of_n} % 1000 = 0 THEN json_set({value}, '$.rare', json('null')) ELSE {value} END"
    else:
        value = f"jsonb_build_object('value', {of_n}::int, 'code', 'code-' || {of_n})"
        rare = f"CASE WHEN {of_n}::int % 1000 = 0 THEN {value} || '{{\"rare\": null}}' ELSE {value} END"
    upkeep.run([f"UPDATE collect_event SET params = {rare}", "ANALYZE collect_event"])


# A key, conditions, and how many events match.
ASKED: list[tuple[str, dict[str, Any], int]] = [
    ("value", {"eq": 4_000}, 1),
    ("value", {"gt": 7_990}, 10),
    ("value", {"gte": 7_990, "lt": 7_995}, 5),
    ("value", {"lte": 10}, 10),
    ("code", {"eq": "code-77"}, 1),
    ("code", {"gte": "code-999", "lt": "code-9990"}, 1),
    ("code", {"eq": True}, 0),
    ("rare", {"exists": True}, 8),
    ("rare", {"is_null": True}, 8),
    ("rare", {"contains": "x"}, 0),
]


@pytest.mark.parametrize(("key", "conditions", "expected"), ASKED)
def test_condition_on_an_indexed_key_reads_the_index(key: str, conditions: dict[str, Any], expected: int) -> None:
    make(key)
    fill(factories.issue()[0])
    with plans.captured() as queries:
        found = list(Event.objects.reportable().where_param(key, **conditions))
    assert len(found) == expected
    (plan,) = plans.assert_bounded(queries, 20)
    assert upkeep.name_of(key) in plan.text


def test_without_the_index_all_events_are_read() -> None:
    fill(factories.issue()[0])
    with plans.captured() as queries:
        list(Event.objects.where_param("value", eq=4_000))
    with pytest.raises(AssertionError, match="reads all of collect_event"):
        plans.assert_bounded(queries)


@pytest.mark.postgresql
def test_planner_knows_how_the_values_are_spread() -> None:
    """Of what stands in a partial index alone it would assume a third."""
    make("value")
    fill(factories.issue()[0])
    text = Event.objects.where_param("value", gte=7_990).explain(format="json")
    (found,) = json.loads(text)
    assert found["Plan"]["Plan Rows"] < 100


LONG = [
    json.dumps("x" * 100_000),
    json.dumps("\U0001f600" * 25_000),
    "9" * 15_999,
    "0." + "7" * 15_000,
    json.dumps({f"key {n}": "y" * 100 for n in range(900)}),
    json.dumps(["z" * 1_000] * 90),
]


@pytest.mark.parametrize("value", LONG, ids=["text", "wide text", "integer", "decimal", "object", "array"])
def test_long_value_under_an_indexed_key_is_stored_and_found(source: Source, value: str) -> None:
    make("value")
    sent.keep(source, [f'{{"value": {value}}}'])
    kept = sent.read(value)
    assert Event.objects.where_param("value", exists=True).count() == 1
    if isinstance(kept, str):
        assert Event.objects.where_param("value", eq=kept).count() == 1
        assert Event.objects.where_param("value", gt=kept[:-1]).count() == 1
        assert Event.objects.where_param("value", gt=kept).count() == 0
    elif not isinstance(kept, dict | list):
        assert Event.objects.where_param("value", gt=0).count() == 1
        assert Event.objects.where_param("value", lt=0).count() == 0


@pytest.mark.postgresql
def test_index_of_the_value_itself_would_refuse_a_long_one(source: Source) -> None:
    """Why the index has short forms of the values."""
    upkeep.run(["CREATE INDEX plain ON collect_event ((params -> 'value'))"])
    long = json.dumps("".join(f"{n:x}" for n in range(30_000)))
    with pytest.raises(DatabaseError, match=r"index row requires|exceeds"), transaction.atomic():
        sent.keep(source, [f'{{"value": {long}}}'])


POSTGRESQL_KEYS = ["it's", "b\\c", "a.b", "%s", 'q"q', "é", "", "0", "x" * 500, "::text) IS NOT NULL"]
KEYS = ["value", "with blank", "not-plain", "0"]


@pytest.mark.parametrize("key", KEYS)
def test_index_is_listed_under_its_key_until_it_is_dropped(key: str) -> None:
    _is_listed(key)


@pytest.mark.postgresql
@pytest.mark.parametrize("key", POSTGRESQL_KEYS)
def test_index_of_any_key_is_listed(source: Source, key: str) -> None:
    _is_listed(key)
    make(key)
    sent.keep(source, [json.dumps({key: 5}), json.dumps({key: "5"}), json.dumps({"other": 5})])
    upkeep.run(["SET LOCAL enable_seqscan = off"])
    with plans.captured() as queries:
        assert Event.objects.where_param((key,), eq=5).count() == 1
    (plan,) = [plans.explain(query) for query in queries]
    assert upkeep.name_of(key) in plan.text


def _is_listed(key: str) -> None:
    make("other")
    make(key)
    index = upkeep.found(key)
    assert index is not None
    assert (index.key, index.name, index.is_whole) == (key, upkeep.name_of(key), True)
    assert {index.key for index in upkeep.listed()} == {key, "other"}
    drop(key)
    assert upkeep.found(key) is None
    assert [index.key for index in upkeep.listed()] == ["other"]
