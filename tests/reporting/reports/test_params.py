from datetime import timedelta

import pytest

from keys.models import ApiKey
from reporting.reports import registry, shapes
from reporting.reports.answer import Answer
from tests.harness import factories
from tests.reporting.reports.stored import DAY, NOON, question, rows, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    """A live key of Acme."""
    return factories.issue()[0]


def ask(name: str, **fields: object) -> Answer:
    return registry.ask("params", question(name, **fields))


def order(key: ApiKey, **params: object) -> None:
    write(key, event_name="order_created", params=params)


def test_paths_have_shares_types_examples_and_bounds(key: ApiKey) -> None:
    order(key, value=58.25, currency="EUR", items=[{"sku": "a"}, {"sku": "bcd"}])
    order(key, value=7, currency=None, items=[])
    order(key, value="free", customer={"vip": True})
    order(key)
    found = ask("order_created")
    assert found.stated["share of"] == "4 events of this name"
    assert rows(found, "paths") == [
        ("currency", 0.25, 1, "string 1, null 1", '"EUR"', None, None, 3),
        ("customer", 0.25, 1, "object 1", "", None, None, None),
        ("customer.vip", 0.25, 1, "boolean 1", "true", None, None, None),
        ("items", 0.5, 2, "array 2", "", None, None, None),
        ("items[]", 0.25, 1, "object 2", "", None, None, None),
        ("items[].sku", 0.25, 1, "string 2", '"a", "bcd"', None, None, 3),
        ("value", 0.75, 3, "string 1, number 2", '"free", 58.25, 7', "7", "58.25", 4),
    ]
    assert ("value", "number", 2) in rows(found, "types")
    assert found.notes == []


def test_numbers_are_exact(key: ApiKey) -> None:
    write(key, event_name="order_created", params={"n": 12345678901234567890123, "x": 0.1})
    write(key, event_name="order_created", params={"n": -1, "x": 1e300})
    found = {row[0]: row[5:7] for row in rows(ask("order_created"), "paths")}
    assert found == {"n": ("-1", "12345678901234567890123"), "x": ("0.1", "1E+300")}


def test_only_live_events_of_the_name_the_range_and_the_partner_count(key: ApiKey) -> None:
    order(key, mine=1)
    write(key, event_name="Order_created", params={"other_name": 1})
    write(factories.issue(is_test=True)[0], event_name="order_created", params={"test": 1})
    write(factories.key(factories.partner("Beta"))[0], event_name="order_created", params={"beta": 1})
    # What counts is when they happened; the end is not in the range.
    write(key, received_at=DAY.end + timedelta(hours=9), age=9 * 3600, event_name="order_created", params={"end": 1})
    write(key, received_at=DAY.start, age=0.001, event_name="order_created", params={"before": 1})
    write(key, received_at=NOON + timedelta(days=3), age=3 * 86400, event_name="order_created", params={"late": 1})
    assert [row[0] for row in rows(ask("order_created"), "paths")] == ["beta", "late", "mine"]
    assert [row[0] for row in rows(ask("order_created", partner=key.partner), "paths")] == ["late", "mine"]


def test_nothing_is_said_with_the_name_that_was_meant() -> None:
    found = ask("order_create")
    assert rows(found, "paths") == rows(found, "types") == []
    assert found.notes == ["No event of the name order_create happened in the range: did you mean order_created?"]
    assert ask("order_created").notes == ["No event of the name order_created happened in the range"]
    assert ask("xyz").notes == ["No event of the name xyz happened in the range"]


def test_paths_that_are_left_out_are_counted(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MOST_PATHS", 2)
    order(key, a=1, b=2, c=3, d=[4])
    (note,) = ask("order_created").tables[0].notes
    assert note.startswith("Left out: 2 values at 2 other paths.")
    monkeypatch.setattr(shapes, "MOST_OTHERS", 1)
    (note,) = ask("order_created").tables[0].notes
    assert note.startswith("Left out: 2 values at 1 or more other paths.")
