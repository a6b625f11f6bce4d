"""The chart of an answer: its first table as bars over time, in the time zone of the question."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from console.charts import PLAIN, Chart, Point, Series
from reporting.figures.filters import parsed
from reporting.figures.registry import EVENTS, TIMES
from reporting.ranges import Range
from reporting.reports.answer import Answer, Kind
from reporting.reports.question import Question

# A chart is readable up to so many bars: the days of a year.
MOST = 370
# The option that leaves out rows of an answer, so that a time without a row is none without events.
_FILTER = "filter"


@dataclass(frozen=True, slots=True)
class _Step:
    """The time of a bar: its key in the table, its beginning and end, and its names."""

    key: Any
    start: datetime
    end: datetime
    name: str
    tick: str


def of(question: Question, answer: Answer, address: Callable[[Question], str]) -> Chart | None:
    """Return the chart of the first table; None if its first column is no time, or there are too many bars.

    `address` is the page of another question: the bar of a day leads to its hours.
    """
    table = answer.tables[0] if answer.tables else None
    if table is None or table.columns[0].name not in TIMES or _leaves_out(question):
        return None
    place = next((n for n, column in enumerate(table.columns) if column.kind is Kind.COUNT), None)
    steps = _steps(table.columns[0].name, question.over, question.zone)
    if place is None or steps is None:
        return None
    values = _values(table.rows, place, adds_up=table.columns[place].name == EVENTS.name)
    if values is None or not values.keys() <= {step.key for step in steps}:
        return None
    label, unit = table.columns[place].label, table.columns[0].label
    points = [
        Point(
            step.start, step.end, _within(question, step, unit, address), {label: values.get(step.key, 0)},
            step.name, step.tick,
        )
        for step in steps
    ]  # fmt: skip
    span = f"{steps[0].name} to {steps[-1].name}, {question.zone}"
    return Chart(f"{label} by {unit}".capitalize(), [Series(label, label, PLAIN)], points, label, span)


def _leaves_out(question: Question) -> bool:
    return any(one.is_of_rows for one in parsed(question.options.get(_FILTER, "").split(";")))


def _values(rows: Any, place: int, *, adds_up: bool) -> Mapping[Any, int] | None:
    """Return the number of each time. None if a time has several rows and what they count does not add up."""
    values: dict[Any, int] = {}
    for row in rows:
        if row[0] in values and not adds_up:
            return None
        values[row[0]] = values.get(row[0], 0) + (row[place] or 0)
    return values


def _steps(name: str, over: Range, zone: tzinfo) -> list[_Step] | None:
    """Return the steps of the range, whether anything happened in them or not; None if there are too many."""
    steps: list[_Step] = []
    for step in _hours(over, zone) if name == "hour" else _dates(name, over, zone):
        if len(steps) == MOST:
            return None
        steps.append(step)
    return steps


def _hours(over: Range, zone: tzinfo) -> Iterator[_Step]:
    start = over.start.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    while start < over.end:
        end, here = start + timedelta(hours=1), start.astimezone(zone)
        yield _Step(start, start, end, f"{here:%Y-%m-%d %H:%M}", f"{here:%H:%M}" if here.hour else f"{here:%m-%d}")
        start = end


def _dates(name: str, over: Range, zone: tzinfo) -> Iterator[_Step]:
    day = _FIRST[name](over.start.astimezone(zone).date())
    while (start := _midnight(day, zone)) < over.end:
        following = _NEXT[name](day)
        said = {"week": f"week of {day}", "month": f"{day:%Y-%m}"}.get(name, f"{day}")
        yield _Step(
            f"{day}", start, _midnight(following, zone), said, f"{day:%Y-%m}" if name == "month" else f"{day:%m-%d}"
        )
        day = following


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _month(day: date) -> date:
    return day.replace(day=1)


_FIRST: Mapping[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": _month,
}
_NEXT: Mapping[str, Callable[[date], date]] = {
    "day": lambda day: day + timedelta(days=1),
    "week": lambda day: day + timedelta(days=7),
    "month": lambda day: _month(_month(day) + timedelta(days=32)),
}


def _within(question: Question, step: _Step, unit: str, address: Callable[[Question], str]) -> str:
    """Return the page of the bar's own time in smaller steps; empty for an hour."""
    smaller = {"day": "hour", "week": "day", "month": "day"}.get(unit)
    if smaller is None:
        return ""
    start, end = max(step.start, question.over.start), min(step.end, question.over.end)
    return address(replace(question, over=Range(start, end), options={**question.options, "step": smaller}))
