"""What happened day by day: events, distinct clients, and values by currency, from the counts by quarter-hours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reporting.figures.asked import Asked
from reporting.figures.filters import OPERATORS, parsed
from reporting.figures.planner import Figures, figures, summed
from reporting.figures.promptness import is_prompt
from reporting.figures.registry import AVERAGE, CLIENTS, DIMENSIONS, EVENTS, METRICS, TIMES, VALUE, VALUED
from reporting.figures.sources import Sums
from reporting.reports.answer import Answer, Table
from reporting.reports.question import Question
from reporting.reports.registry import Option, Report

_NOTHING = "-"
_YES, _NO = "yes", "no"
_MONEY = (VALUED.name, VALUE.name, AVERAGE.name)
_BY = tuple(name for name in DIMENSIONS if name not in TIMES)


def answer(question: Question) -> Answer:
    """Return the figures of each step. Raises `BadQuestion`."""
    asked = _asked(question)
    dimensions, metrics = list(asked.by), asked.metrics
    # Read once, so that all tables agree.
    sums = summed(replace(asked, metrics=_MONEY))
    counts = figures(asked, sums)
    total = figures(replace(asked, by=()), sums)
    money = figures(replace(asked, metrics=_MONEY), sums)
    stated = {"time": "when events happened (timestamp)", "filter": "; ".join(map(str, asked.filters)) or "none"}
    by_step = list(_rows(counts, question, asked))
    of_all = [tuple(row[one] for one in metrics) for row in total.rows]
    with_currency = [*dimensions, "currency"]
    title = "Events and clients" if CLIENTS.name in metrics else "Events"
    return Answer(
        "daily",
        REPORT.title,
        question.stated() | stated,
        (
            Table("daily", title, _columns(dimensions, metrics), by_step),
            Table("total", "All of the range", _columns([], metrics), of_all),
            Table("value", "Values", _columns(with_currency, _MONEY), list(_values(money, dimensions))),
            _no_values(asked, sums),
        ),
        list(dict.fromkeys((*counts.notes, *money.notes))),
    )


def _asked(question: Question) -> Asked:
    """Return what the planner is asked. Raises `BadQuestion`."""
    options = question.options
    metrics = (EVENTS.name, CLIENTS.name) if options["clients"] == _YES else (EVENTS.name,)
    by = [options["step"], *([] if options["by"] == _NOTHING else [options["by"]])]
    filters = parsed(options["filter"].split(";"))
    return Asked(question.over, question.zone, question.partner, metrics, by, filters)


def _is_prompt(question: Question) -> bool:
    return is_prompt(_asked(question))


def _columns(dimensions: Sequence[str], metrics: Sequence[str]) -> list[Any]:
    return [DIMENSIONS[name].column for name in dimensions] + [METRICS[name].column for name in metrics]


def _rows(counts: Figures, question: Question, asked: Asked) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the counts; of days without any event one of zeros, if nothing else divides the rows."""
    metrics = asked.metrics
    found = {tuple(_shown(row, asked.by)): tuple(row[one] for one in metrics) for row in counts.rows}
    if asked.by == ["day"] and not asked.filters:
        for day in _days(question):
            yield day, *found.pop((day,), (0,) * len(metrics))
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


def _no_values(asked: Asked, sums: Sums) -> Table:
    """Return how many events are in no sum of values, by why."""
    found = figures(replace(asked, metrics=(EVENTS.name, VALUE.name), by=()), sums)
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
        Option(
            "clients",
            "WHETHER",
            _YES,
            "count distinct clients, too, which among millions of events takes longer than all the rest",
            (_YES, _NO),
        ),
    ),
    is_prompt=_is_prompt,
    sooner={"clients": _NO},
)
