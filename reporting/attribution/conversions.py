"""The report `conversions`: how many there are and of which value, by name and currency, each counted once."""

from typing import Any

from reporting.attribution import repeats
from reporting.attribution.repeats import Line, amount
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import BadQuestion, Question
from reporting.views.columns import CONVERSIONS

_COLUMNS = (
    Column("event_name", Kind.TEXT, "The name of the conversion's event."),
    Column("currency", Kind.TEXT, "The currency of the value; unknown for conversions without a value."),
    Column("value_issue", Kind.TEXT, "Why a value that was sent is none; unknown if it is one, or none was sent."),
    Column("conversions", Kind.COUNT, "Conversions: reports of one partner, event_name and event_id are one."),
    Column("value", Kind.AMOUNT, "The sum of their values, in the row's currency."),
    Column("average", Kind.AMOUNT, "Their mean value, rounded to ten-thousandths."),
)


def conversions(question: Question) -> Answer:
    """Return the conversions of the range. Raises `BadQuestion` for an option: there is none."""
    for name in question.options:
        raise BadQuestion(f"{name}: conversions has no options")
    found = repeats.lines(question.over, question.partner)
    others = repeats.tables(found, question.over, question.partner)
    table = Table("conversions", "Conversions by name and currency", _COLUMNS, [_row(line) for line in found])
    stated = {**question.stated(), "conversions": ", ".join(CONVERSIONS), "range applies to": "when they happened"}
    return Answer("conversions", "Conversions", stated, [table, *others])


def _row(line: Line) -> list[Any]:
    names = [line.event_name, line.currency, line.value_issue, line.conversions]
    if line.currency is None:
        return [*names, None, None]
    return [*names, amount(line.value_e4), amount(_mean(line.value_e4, line.conversions))]


def _mean(value_e4: int, number: int) -> int:
    """Return the mean, rounded half away from zero as people do."""
    rounded = (2 * abs(value_e4) + number) // (2 * number)
    return -rounded if value_e4 < 0 else rounded
