"""What happened day by day: events, distinct clients, and values by currency, from the counts by quarter-hours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reporting.figures.asked import Asked
from reporting.figures.filters import OPERATORS, parsed
from reporting.figures.planner import Figures, figures
from reporting.figures.registry import AVERAGE, CLIENTS, DIMENSIONS, EVENTS, METRICS, TIMES, VALUE, VALUED
from reporting.reports.answer import Answer, Table
from reporting.reports.question import Question
from reporting.reports.registry import Option, Report

_NOTHING = "-"
_COUNTS = (EVENTS.name, CLIENTS.name)
_MONEY = (VALUED.name, VALUE.name, AVERAGE.name)
_BY = tuple(name for name in DIMENSIONS if name not in TIMES)


def answer(question: Question) -> Answer:
    """Return the figures of each step. Raises `BadQuestion`."""
    step, by = question.options["step"], question.options["by"]
    filters = parsed(question.options["filter"].split(";"))
    dimensions = [step] if by == _NOTHING else [step, by]
    asked = Asked(question.over, question.zone, question.partner, _COUNTS, dimensions, filters)
    counts = figures(asked)
    total = figures(replace(asked, by=()))
    money = figures(replace(asked, metrics=_MONEY))
    stated = {"time": "when events happened (timestamp)", "filter": "; ".join(map(str, filters)) or "none"}
    by_step = list(_rows(counts, question, dimensions))
    of_all = [tuple(row[one] for one in _COUNTS) for row in total.rows]
    with_currency = [*dimensions, "currency"]
    return Answer(
        "daily",
        REPORT.title,
        question.stated() | stated,
        (
            Table("daily", "Events and clients", _columns(dimensions, _COUNTS), by_step),
            Table("total", "All of the range", _columns([], _COUNTS), of_all),
            Table("value", "Values", _columns(with_currency, _MONEY), list(_values(money, dimensions))),
            _no_values(asked),
        ),
        list(dict.fromkeys((*counts.notes, *money.notes))),
    )


def _columns(dimensions: Sequence[str], metrics: Sequence[str]) -> list[Any]:
    return [DIMENSIONS[name].column for name in dimensions] + [METRICS[name].column for name in metrics]


def _rows(counts: Figures, question: Question, dimensions: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the counts; of days without any event one of zeros, if nothing else divides the rows."""
    found = {tuple(_shown(row, dimensions)): tuple(row[one] for one in _COUNTS) for row in counts.rows}
    if dimensions == ["day"] and not question.options["filter"]:
        for day in _days(question):
            yield day, *found.pop((day,), (0, 0))
    for key, row in found.items():
        yield *key, *row


def _days(question: Question) -> Iterator[str]:
    day = question.over.start.astimezone(question.zone).date()
    last = (question.over.end - timedelta(microseconds=1)).astimezone(question.zone).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


def _shown(row: Mapping[str, Any], dimensions: Sequence[str]) -> Iterator[Any]:
    for name in dimensions:
        value = row[name]
        yield value.date().isoformat() if isinstance(value, datetime) and name != "hour" else value


def _values(money: Figures, dimensions: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for row in money.rows:
        if row["currency"] is not None:
            yield *_shown(row, dimensions), row["currency"], *(row[one] for one in _MONEY)


def _no_values(asked: Asked) -> Table:
    """Return how many events are in no sum of values, by why."""
    found = figures(replace(asked, metrics=(EVENTS.name, VALUE.name), by=()))
    rows = [(row["value_issue"] or "no value", row[EVENTS.name]) for row in found.rows if row["currency"] is None]
    return Table("no_value", "In no sum of values", _columns(["value_issue"], [EVENTS.name]), rows)


REPORT = Report(
    "daily",
    "Events, clients and values by days",
    "How many events happened each day, of how many clients, and what they are worth, by anything.",
    answer,
    options=(
        Option("step", "STEP", "day", "how long the time of a row is", TIMES),
        Option("by", "DIMENSION", _NOTHING, "what else divides the rows", (_NOTHING, *_BY)),
        Option(
            "filter",
            "CONDITIONS",
            "",
            f"which events: conditions as `country is DE`, with `;` between two; a dimension or metric, "
            f"{', '.join(OPERATORS)}, and a value, which may be `unknown`",
        ),
    ),
    is_prompt=True,
)
