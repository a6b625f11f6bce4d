from datetime import timedelta
from typing import Any

import pytest

from collect.models import Event
from keys.models import ApiKey
from reporting.reports import quality, registry
from tests.harness import factories
from tests.reporting.reports.stored import DAY, question, rows, write

pytestmark = pytest.mark.django_db
MEASURES = ("no_event_id", "no_actor", "no_tag", "value_issues", "bots", "no_country")
GOOD: dict[str, Any] = {"tag_id": "shop", "client_id": "ann", "params": {"value": 5, "currency": "EUR"}}
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.fixture
def key() -> ApiKey:
    """A live key of Acme."""
    return factories.issue()[0]


def test_each_lack_is_counted_by_the_name_of_the_event(key: ApiKey) -> None:
    write(key, event_name="order_created", event_id="1", **GOOD)
    write(key, event_name="order_created", **GOOD)
    write(key, event_name="order_created", event_id="2", **GOOD | {"client_id": None})
    write(key, event_name="order_created", event_id="3", **GOOD | {"client_id": None, "session_id": "s"})
    write(key, event_name="order_created", event_id="4", **GOOD | {"client_id": "", "session_id": ""})
    write(key, event_name="order_created", event_id="5", **GOOD | {"params": {"value": "5"}})
    write(key, event_name="lead_created", event_id="6", user_agent=CRAWLER, **GOOD | {"params": {}})
    write(key, event_name="lead_created", page_url="https://shop.example/", client_id="ann")
    # No derived tag, whatever case it is written in.
    write(key, event_name="lead_created", event_id="7", **GOOD | {"tag_id": "SITE:x"})
    Event.objects.exclude(event_id="1").update(geo_country="DE")
    found = registry.ask("quality", question())
    assert rows(found, "names") == [
        ("order_created", 6, 1, 2, 0, 1, 0, 1),
        ("lead_created", 3, 1, 0, 1, 0, 1, 0),
    ]  # fmt: skip
    counted = dict(zip(MEASURES, (2, 2, 1, 1, 1, 1), strict=True))
    assert rows(found, "all") == [("events", 9, 1.0), *((name, n, n / 9) for name, n in counted.items())]


def test_values_that_are_none_are_counted_by_their_reason(key: ApiKey) -> None:
    for params in (
        {"value": "5"},
        {"value": 5},
        {"value": 6},
        {"value": 5, "currency": "XXQ"},
        {"value": 1e12, "currency": "EUR"},
    ):
        write(key, event_name="order_created", params=params)
    write(key, event_name="lead_created", params={"value": 7})
    write(key, event_name="order_created", params={"value": 5, "currency": "eur"})
    write(key, event_name="order_created", params={"value": None})
    found = registry.ask("quality", question())
    assert [(row[0], row[1], row[3]) for row in rows(found, "value_issues")] == [
        ("order_created", "no_currency", 2),
        ("lead_created", "no_currency", 1),
        ("order_created", "unknown_currency", 1),
        ("order_created", "value_not_a_number", 1),
        ("order_created", "value_out_of_range", 1),
    ]
    assert all(row[2] for row in rows(found, "value_issues"))
    assert [(row[0], row[5]) for row in rows(found, "names")] == [("order_created", 5), ("lead_created", 1)]


def test_tests_other_times_and_other_partners_do_not_count(key: ApiKey) -> None:
    write(key, event_name="mine")
    write(factories.issue(is_test=True)[0], event_name="test")
    write(factories.key(factories.partner("Beta"))[0], event_name="other")
    write(key, received_at=DAY.end + timedelta(seconds=1), event_name="end")
    assert [row[0] for row in rows(registry.ask("quality", question(partner=key.partner)), "names")] == ["mine"]
    assert [row[0] for row in rows(registry.ask("quality", question()), "names")] == ["mine", "other"]


def test_rare_names_stand_together(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "MOST_NAMES", 1)
    for name in ("often", "often", "often", "b", "b", "c"):
        write(key, event_name=name, params={"value": 1})
    found = registry.ask("quality", question())
    assert [row[:3] for row in rows(found, "names")] == [("often", 3, 3), ("(other names)", 3, 3)]
    assert found.tables[0].notes == ["2 names that are less frequent stand together as (other names)."]
    assert rows(found, "all")[0] == ("events", 6, 1.0)
    assert [(row[0], row[3]) for row in rows(found, "value_issues")] == [("often", 3), ("(other names)", 3)]


def test_nothing_has_no_shares() -> None:
    found = registry.ask("quality", question())
    assert rows(found, "names") == rows(found, "near_names") == []
    assert set(rows(found, "all")) == {(name, 0, None) for name in ("events", *MEASURES)}


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("order_created", None),
        ("custom", None),
        ("Order Created", "order_created"),
        ("orderCreated", "order_created"),
        ("order-creatd", "order_created"),
        ("item_added", "items_added"),
        ("checkout_start", "checkout_started"),
        ("lead_updated", None),
        ("page_viewed", None),
        ("purchase", None),
        ("", None),
    ],
)
def test_name_near_a_standard_one(name: str, standard: str | None) -> None:
    assert quality.near_standard(name) == standard


def test_names_near_standard_ones_are_listed(key: ApiKey) -> None:
    for name in ("OrderCreated", "OrderCreated", "purchase"):
        write(key, event_name=name)
    assert rows(registry.ask("quality", question()), "near_names") == [("OrderCreated", "order_created", 2)]
