"""The chart of an answer: bars of whole days of the zone, those without events too, and never a wrong one."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from console.charts import Chart
from console.pages.reports import charts, question
from reporting.figures.registry import CLIENTS, DIMENSIONS, EVENTS
from reporting.ranges import Range
from reporting.reports.answer import Answer, Column, Table
from reporting.reports.question import Question
from reporting.reports.registry import REPORTS

BERLIN = ZoneInfo("Europe/Berlin")
# The day of 25 hours is 25 October.
AUTUMN = Range(datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 26, 23, tzinfo=UTC))


def answer(step: str, rows: list[tuple[Any, ...]], *columns: Column) -> Answer:
    of_table = (DIMENSIONS[step].column, *(columns or (EVENTS.column,)))
    return Answer("daily", "", {}, (Table("daily", "", of_table, rows),))


def asked(over: Range, zone: tzinfo = UTC, **options: str) -> Question:
    return Question(over, zone, options={"step": "day", "by": "-", "filter": ""} | options)


def chart(of: Question, found: Answer) -> Chart | None:
    return charts.of(of, found, lambda other: f"/?{question.address(REPORTS['daily'], other)}")


def drawn(found: Chart | None) -> list[tuple[str, float]]:
    assert found
    return [(point.span, point.values["events"]) for point in found.points]


def test_days_are_those_of_the_zone_and_lead_to_their_hours() -> None:
    found = chart(asked(AUTUMN, BERLIN), answer("day", [("2026-10-25", 4)]))
    assert drawn(found) == [("2026-10-25", 4), ("2026-10-26", 0)]
    assert found
    first = found.points[0]
    assert first.end - first.start == timedelta(hours=25)
    assert first.href == "/?from=2026-10-25&until=2026-10-26&tz=Europe%2FBerlin&step=hour"
    assert found.span == "2026-10-25 to 2026-10-26, Europe/Berlin"
    assert found.title == "Events by day"


def test_hours_of_the_day_on_which_clocks_go_back_are_25() -> None:
    over = Range(AUTUMN.start, AUTUMN.start + timedelta(hours=25))
    second_two = datetime(2026, 10, 25, 1, tzinfo=UTC)
    found = drawn(chart(asked(over, BERLIN), answer("hour", [(second_two, 3)])))
    assert len(found) == 25
    assert [name for name, _ in found[:5]] == [f"2026-10-25 {hour}:00" for hour in ("00", "01", "02", "02", "03")]
    assert [n for n, (_, value) in enumerate(found) if value] == [3]


def test_weeks_begin_on_monday_and_months_on_their_first_day() -> None:
    over = Range(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    months = chart(asked(over, step="month"), answer("month", [("2026-02-01", 5)]))
    assert drawn(months) == [("2026-01", 0), ("2026-02", 5)]
    assert months
    assert months.points[0].href == "/?from=2026-01-31&until=2026-02-01&tz=UTC"
    weeks = drawn(chart(asked(over, step="week"), answer("week", [("2026-01-26", 1)])))
    assert weeks[:2] == [("week of 2026-01-26", 1), ("week of 2026-02-02", 0)]
    assert len(weeks) == 5


def test_events_of_a_day_add_up_and_clients_do_not() -> None:
    rows = [("2026-10-25", "DE", 4), ("2026-10-25", "FR", 3)]
    country = DIMENSIONS["country"].column
    assert drawn(chart(asked(AUTUMN, BERLIN), answer("day", rows, country, EVENTS.column)))[0][1] == 7
    assert chart(asked(AUTUMN, BERLIN), answer("day", rows, country, CLIENTS.column)) is None


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        # Days of few events are left out, and are not days without any.
        ({"filter": "events greater 3"}, [("2026-10-25", 4)]),
        # A time that is none of the range.
        ({}, [("2026-10-23", 4)]),
    ],
)
def test_chart_that_would_be_wrong_is_none(options: dict[str, str], rows: list[tuple[Any, ...]]) -> None:
    assert chart(asked(AUTUMN, BERLIN, **options), answer("day", rows)) is None


def test_answer_without_a_time_or_with_too_many_has_no_chart() -> None:
    year = Range(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    assert len(drawn(chart(asked(year), answer("day", [])))) == 365
    assert chart(asked(year), answer("hour", [])) is None
    assert chart(asked(year), Answer("x", "", {}, ())) is None
    country = Answer("x", "", {}, (Table("x", "", (DIMENSIONS["country"].column, EVENTS.column), [("DE", 1)]),))
    assert chart(asked(year), country) is None


def test_address_of_a_question_asks_it_again() -> None:
    report = REPORTS["daily"]
    for query in (
        "from=2026-10-25&until=2026-10-26&tz=Europe/Berlin&step=week&by=tag",
        "from=2026-10-25T02:30%2B01:00&until=2026-10-25T02:45:10.5%2B01:00&tz=Europe/Berlin",
        "filter=country+is+DE;+tag+contains+%26",
    ):
        first = question.read(report, QueryDict(query))
        assert first
        assert question.read(report, QueryDict(question.address(report, first))) == first


def test_usual_ranges_are_of_days_of_the_zone() -> None:
    now = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    found = {
        one.name: QueryDict(one.query)
        for one in question.presets(REPORTS["daily"], asked(AUTUMN, BERLIN, by="tag"), now)
    }
    times = {name: (one["from"], one["until"]) for name, one in found.items()}
    assert times == {
        "today": ("2026-04-01", "2026-04-02"),
        "yesterday": ("2026-03-31", "2026-04-01"),
        "7 days": ("2026-03-26", "2026-04-02"),
        "30 days": ("2026-03-03", "2026-04-02"),
        "90 days": ("2026-01-02", "2026-04-02"),
        "this month": ("2026-04-01", "2026-04-02"),
        "last month": ("2026-03-01", "2026-04-01"),
    }
    assert all((one["tz"], one["by"]) == ("Europe/Berlin", "tag") for one in found.values())
