"""A figure has one answer: every place that offers it says the same, while events come in, are erased and pruned."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from collect.models import Event
from collect.storage import removal
from collect.storage.ledger.tally import Endpoint
from reporting.figures.asked import Asked
from reporting.figures.planner import figures
from reporting.models import DailyCount, Quarter, ReportedEvent
from reporting.ranges import Range
from reporting.reports import registry
from reporting.reports.question import Question
from reporting.rollups.running import Rollup
from tests.reporting.views.events import NOON, stored

pytestmark = pytest.mark.django_db
MONTH = Range(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
HOUR = timedelta(hours=1)
# What is compared: events and value by currency, None for all that has no value.
Figure = dict[str | None, tuple[int, Decimal]]


def _summed(rows: Any) -> Figure:
    events: Counter[str | None] = Counter()
    values: dict[str | None, Decimal] = {}
    for currency, number, value in rows:
        events[currency or None] += int(number)
        values[currency or None] = values.get(currency or None, Decimal(0)) + Decimal(str(value or 0))
    return {currency: (number, values[currency]) for currency, number in events.items()}


def of_the_view_of_events() -> Figure:
    with connection.cursor() as cursor:
        cursor.execute("SELECT currency, 1, value_e4 FROM reporting_events")
        return _summed((currency, one, Decimal(value or 0) / 10_000) for currency, one, value in cursor.fetchall())


def of_the_orm() -> Figure:
    return _summed((event.currency, 1, event.value) for event in ReportedEvent.objects.all())


def of_quarters() -> Figure:
    return _summed(Quarter.objects.filter(is_test=False).values_list("currency", "events", "value"))


def of_days() -> Figure:
    return _summed(DailyCount.objects.values_list("currency", "events", "value"))


def of_the_planner() -> Figure:
    found = figures(Asked(MONTH, metrics=("events", "value"), by=("country", "day")))
    return _summed((row["currency"], row["events"], row["value"]) for row in found.rows)


def of_the_report() -> Figure:
    answer = registry.ask("daily", Question(MONTH))
    tables = {table.name: table.rows for table in answer.tables}
    assert sum(row[1] for row in tables["daily"]) == sum(row[0] for row in tables["total"])
    valued = [(currency, number, value) for _, currency, number, value, _ in tables["value"]]
    return _summed([*valued, *((None, number, 0) for _, number in tables["no_value"])])


def of_the_command(capsys: pytest.CaptureFixture[str], form: str) -> Figure:
    rows: list[Any] = []
    for table, columns in (("value", ("currency", "valued", "value")), ("no_value", ("", "events", ""))):
        capsys.readouterr()
        given = ["report", "daily", "--since", "2026-11-01", "--until", "2026-12-01", "--table", table]
        call_command(*given, "--format", form)
        text = capsys.readouterr().out
        found = csv.DictReader(io.StringIO(text)) if form == "csv" else json.loads(text)["tables"][0]["rows"]
        rows += [tuple(row.get(name) for name in columns) for row in found]
    return _summed(rows)


def of_the_page(client: Client) -> Figure:
    found = client.get("/admin/reports/daily.json?from=2026-11-01&until=2026-12-01").json()["answer"]["tables"]
    tables = {table["name"]: table["rows"] for table in found}
    valued = [(row["currency"], row["valued"], row["value"]) for row in tables["value"]]
    return _summed([*valued, *((None, row["events"], 0) for row in tables["no_value"])])


@pytest.fixture
def places(capsys: pytest.CaptureFixture[str], admin_client: Client) -> dict[str, Callable[[], Figure]]:
    return {
        "SQL over reporting_events": of_the_view_of_events,
        "the ORM": of_the_orm,
        "reporting_quarters": of_quarters,
        "reporting_daily": of_days,
        "the planner": of_the_planner,
        "the report": of_the_report,
        "the command, CSV": lambda: of_the_command(capsys, "csv"),
        "the page": lambda: of_the_page(admin_client),
        "the command, JSON": lambda: of_the_command(capsys, "json"),
    }


def said(places: dict[str, Callable[[], Figure]], *but: str) -> Figure:
    """What all places say; they have to agree."""
    found = {name: place() for name, place in places.items() if name not in but}
    first, *others = found.values()
    assert all(other == first for other in others), found
    return first


def test_every_place_says_the_same(places: dict[str, Callable[[], Figure]]) -> None:
    expected: Figure = {"EUR": (8, Decimal("14.4")), "USD": (8, Decimal(56)), None: (16, Decimal(0))}
    params = ({"value": 1.8, "currency": "eur"}, {"value": 7, "currency": "USD"}, {"value": "9"}, {"value": 2})
    for number in range(32):
        at = NOON + number * HOUR
        stored(["acme", "globex"][number % 2], received_at=at, params=params[number % 4], geo_country="DE")
        stored(received_at=at, params=params[0], is_test=True)
        if number % 10 == 0:
            list(Rollup().run(at))
    assert said(places) == expected
    list(Rollup().run(NOON + 50 * HOUR))
    assert said(places) == expected

    # Erased: gone everywhere, from the minute in which it is counted anew.
    euros = list(ReportedEvent.objects.filter(currency="EUR").order_by("id").values_list("pk", flat=True))
    removal.remove(euros[:3], Endpoint.ERASE)
    list(Rollup().run(NOON + 50 * HOUR))
    expected |= {"EUR": (5, Decimal(9))}
    assert said(places) == expected

    # Pruned: gone as events; the counts stay.
    old = Event.objects.filter(received_at__lt=NOON + 8 * HOUR).values_list("pk", flat=True)
    removal.remove(list(old), Endpoint.PRUNE)
    assert said(places, "SQL over reporting_events", "the ORM") == expected
    assert of_the_orm() == of_the_view_of_events() != expected


def test_places_without_events_say_so(places: dict[str, Callable[[], Figure]]) -> None:
    assert said(places) == {}
