"""The report of days: all days of the range, sums that agree with each other, and what is in none of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reporting.ranges import Range
from reporting.reports import registry
from reporting.reports.answer import Answer
from reporting.reports.question import BadQuestion, Question
from tests.reporting.reports.stored import rows
from tests.reporting.views.events import stored

pytestmark = pytest.mark.django_db
START = datetime(2026, 10, 24, 22, tzinfo=UTC)
# Three days of Berlin, the first of which has 25 hours.
BERLIN = ZoneInfo("Europe/Berlin")
OVER = Range(START, START + timedelta(hours=73))


def ask(**options: str) -> Answer:
    return registry.ask("daily", Question(OVER, BERLIN, options=options))


@pytest.fixture
def three() -> None:
    for hours, client, value, currency in ((0, "ann", 1.5, "EUR"), (24.5, "ann", 2, "EUR"), (72, "bob", 3, "USD")):
        at = START + timedelta(hours=hours)
        stored(received_at=at, client_id=client, params={"value": value, "currency": currency}, geo_country="DE")
    stored(received_at=START, params={"value": "1"})


def test_days_are_all_there_and_are_those_of_the_time_zone(three: None) -> None:
    found = ask()
    assert rows(found, "daily") == [("2026-10-25", 3, 1), ("2026-10-26", 0, 0), ("2026-10-27", 1, 1)]
    assert rows(found, "total") == [(4, 2)]
    assert found.stated["time zone"] == "Europe/Berlin"


def test_values_stand_by_currency_and_the_rest_has_its_reason(three: None) -> None:
    found = ask()
    expected: list[tuple[Any, ...]] = [
        ("2026-10-25", "EUR", 2, Decimal("3.5"), Decimal("1.75")),
        ("2026-10-27", "USD", 1, Decimal(3), Decimal(3)),
    ]
    assert rows(found, "value") == expected
    assert rows(found, "no_value") == [("value_not_a_number", 1)]


def test_anything_can_divide_the_rows_and_choose_the_events(three: None) -> None:
    assert rows(ask(step="month", by="country"), "daily") == [("2026-10-01", "DE", 3, 2), ("2026-10-01", None, 1, 0)]
    assert rows(ask(step="month", filter="country is DE; clients greater 1"), "daily") == [("2026-10-01", 3, 2)]


@pytest.mark.parametrize("options", [{"by": "land"}, {"step": "decade"}, {"filter": "country of DE"}])
def test_option_that_is_none_is_named(options: dict[str, str]) -> None:
    (name,) = options
    with pytest.raises(BadQuestion, match=name):
        ask(**options)
