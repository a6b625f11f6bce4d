"""The views: what each makes of an event, and that both databases say what every column is."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from reporting.models import DailyCount, Quarter, ReportedConversion, ReportedEvent, ReportedTouch
from reporting.views import making
from tests.harness.databases import is_sqlite
from tests.reporting.views.events import NOON, stored

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("{}", (None, None, None, None)),
        ('{"value": null, "currency": "EUR"}', (None, None, None, None)),
        ('{"currency": "EUR"}', (None, None, None, None)),
        ('{"value": 58.00, "currency": "USD"}', (Decimal(58), 580_000, "USD", None)),
        ('{"value": 58.29, "currency": "usd"}', (Decimal("58.29"), 582_900, "USD", None)),
        ('{"value": -1.005, "currency": "BHD"}', (Decimal("-1.005"), -10_050, "BHD", None)),
        ('{"value": 0, "currency": "JPY"}', (Decimal(0), 0, "JPY", None)),
        ('{"value": 1e3, "currency": "Eur"}', (Decimal(1_000), 10_000_000, "EUR", None)),
        ('{"value": 0.00004, "currency": "EUR"}', (Decimal(0), 0, "EUR", None)),
        ('{"value": 99999999999.9999, "currency": "VND"}', (Decimal("99999999999.9999"), 10**15 - 1, "VND", None)),
        ('{"value": 100000000000, "currency": "VND"}', (None, None, None, "value_out_of_range")),
        ('{"value": -1e300, "currency": "VND"}', (None, None, None, "value_out_of_range")),
        (f'{{"value": 1{"0" * 400}, "currency": "VND"}}', (None, None, None, "value_out_of_range")),
        ('{"value": "58.00", "currency": "USD"}', (None, None, None, "value_not_a_number")),
        ('{"value": true, "currency": "USD"}', (None, None, None, "value_not_a_number")),
        ('{"value": {"value": 1}, "currency": "USD"}', (None, None, None, "value_not_a_number")),
        ('{"value": [1], "currency": "USD"}', (None, None, None, "value_not_a_number")),
        ('{"value": 58}', (None, None, None, "no_currency")),
        ('{"value": 58, "currency": null}', (None, None, None, "no_currency")),
        ('{"value": 58, "currency": ""}', (None, None, None, "unknown_currency")),
        ('{"value": 58, "currency": "XYZ"}', (None, None, None, "unknown_currency")),
        ('{"value": 58, "currency": " EUR"}', (None, None, None, "unknown_currency")),
        ('{"value": 58, "currency": "\\u0131DR"}', (None, None, None, "unknown_currency")),
        ('{"value": 58, "currency": 978}', (None, None, None, "unknown_currency")),
        ('{"value": 58, "currency": ["EUR"]}', (None, None, None, "unknown_currency")),
    ],
)
def test_value_and_currency_are_there_where_both_are_well_formed(params: str, expected: tuple[Any, ...]) -> None:
    stored(params=params)
    assert ReportedEvent.objects.values_list("value", "value_e4", "currency", "value_issue").get() == expected


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("items_added", "contents"),
        ("lead_created", "customer_action"),
        ("trial_started", "plan_enrollment"),
        ("custom", "custom"),
        ("Order_Created", "custom"),
        ("order_created ", "custom"),
    ],
)
def test_category_is_that_of_the_taxonomy(name: str, category: str) -> None:
    stored(event_name=name)
    assert ReportedEvent.objects.get().category == category


def test_test_events_are_in_no_view_of_single_events_nor_in_days() -> None:
    stored(is_test=True, click_id="c")
    for view in (ReportedEvent, ReportedConversion, ReportedTouch, DailyCount):
        assert not view.objects.exists()
    assert Quarter.objects.values_list("is_test", "events").get() == (True, 1)


def test_event_is_reported_as_it_was_stored() -> None:
    id = stored("acme", event_id="e1", geo_country="DE", ua_browser="Firefox", params={"a": [1, {"b": "c"}]})
    event = ReportedEvent.objects.get()
    assert (str(event.id), event.partner, event.event_id, event.geo_country) == (id, "acme", "e1", "DE")
    assert (event.received_at, event.timestamp, event.params) == (NOON, NOON, {"a": [1, {"b": "c"}]})


def test_conversion_counts_once_for_its_partner_and_event_id() -> None:
    euro = {"value": 10, "currency": "EUR"}
    stored("acme", event_id="o1", tag_id="browser", received_at=NOON + HOUR, params={"value": 11, "currency": "EUR"})
    first = stored("acme", event_id="o1", tag_id="server", received_at=NOON, params=euro)
    stored("acme", event_id="o1", tag_id="other", received_at=NOON + 2 * HOUR, params=euro)
    stored("acme", event_id="o1", event_name="lead_created")
    stored("globex", event_id="o1")
    found = ReportedConversion.objects.filter(partner="acme", event_name="order_created").get()
    assert (str(found.id), found.value) == (first, Decimal(10))
    assert (found.repeats, found.differing) == (2, 1)
    assert ReportedConversion.objects.count() == 3


def test_conversions_without_an_event_id_count_each() -> None:
    stored()
    stored()
    assert [found.repeats for found in ReportedConversion.objects.all()] == [0, 0]


def test_value_that_came_to_none_differs_from_one() -> None:
    stored(event_id="o1", tag_id="a", params={"value": 10, "currency": "EUR"})
    stored(event_id="o1", tag_id="b", received_at=NOON + HOUR)
    assert ReportedConversion.objects.values_list("repeats", "differing").get() == (1, 1)


@pytest.mark.parametrize(
    ("fields", "kind", "interaction"),
    [
        ({"attribution_type": "click"}, "click", None),
        ({"attribution_type": "view", "click_id": "c"}, "view", "c"),
        ({"attribution_type": "view", "click_id": "c", "impression_id": "i"}, "view", "i"),
        ({"click_id": "c", "impression_id": "i"}, "click", "c"),
        ({"impression_id": "i", "bid_id": "b"}, "view", "i"),
        ({"attribution_type": "click", "bid_id": "b"}, "click", "b"),
        ({"click_id": "", "impression_id": "i"}, "view", "i"),
    ],
)
def test_touch_has_a_kind_and_an_interaction(fields: dict[str, Any], kind: str, interaction: str | None) -> None:
    stored(event_name="contents_viewed", **fields)
    assert ReportedTouch.objects.values_list("kind", "interaction").get() == (kind, interaction)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"attribution_type": "organic", "click_id": "c"},
        {"attribution_type": "Click"},
        {"bid_id": "b"},
        {"click_id": "", "session_id": "s", "client_id": "c"},
    ],
)
def test_other_events_are_no_touches(fields: dict[str, Any]) -> None:
    stored(**fields)
    assert not ReportedTouch.objects.exists()


def test_quarters_are_of_arrival_and_of_the_event() -> None:
    stored(timestamp=NOON - timedelta(days=3, seconds=1), received_at=NOON + timedelta(minutes=14, seconds=59))
    found = Quarter.objects.get()
    assert (found.arrived, found.quarter) == (NOON, NOON - timedelta(days=3, minutes=15))


def test_days_sum_up_what_has_all_in_common() -> None:
    for value in (1, 2.5):
        stored(params={"value": value, "currency": "EUR"}, timestamp=NOON + value * HOUR)
    stored(params={"value": 4, "currency": "USD"})
    stored(params={"value": 4})
    columns = ("currency", "value_issue", "events", "value", "value_e4")
    found: set[tuple[Any, ...]] = set(DailyCount.objects.values_list(*columns))
    assert found == {
        ("EUR", None, 2, Decimal("3.5"), 35_000),
        ("USD", None, 1, 4, 40_000),
        (None, "no_currency", 1, None, None),
    }
    assert {found.day for found in DailyCount.objects.all()} == {NOON.date()}


def test_each_view_is_in_the_database_as_it_is_defined() -> None:
    """Who changes a definition needs a migration that makes the views anew."""
    with connection.cursor() as cursor:
        made = {view.name: _described(cursor, view.name) for view in making.views(connection.vendor)}
        making.remove()
        making.make()
        assert made == {view.name: _described(cursor, view.name) for view in making.views(connection.vendor)}


def _described(cursor: Any, view: str) -> Any:
    if is_sqlite():
        return cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [view]).fetchall()
    cursor.execute("SELECT pg_get_viewdef(%s::regclass), obj_description(%s::regclass)", [view, view])
    return cursor.fetchall(), _comments(cursor, view)


def _comments(cursor: Any, view: str) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = %s::regclass "
        "AND attnum > 0 ORDER BY attnum",
        [view],
    )
    return list(cursor.fetchall())


@pytest.mark.postgresql
def test_every_column_has_a_comment() -> None:
    with connection.cursor() as cursor:
        for view in making.views(connection.vendor):
            comments = _comments(cursor, view.name)
            assert [name for name, _ in comments] == [column.name for column in view.columns]
            assert all(comment for _, comment in comments)
