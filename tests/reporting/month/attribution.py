"""What the report `attribution` says of the month: of many events the sums, of few each line as the oracle has it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from reporting.reports.answer import Table
from tests.reporting.month.checks import Check
from tests.reporting.month.credited import MODELS, SOURCES, Credited, Line
from tests.reporting.month.known import Known, Sum
from tests.reporting.month.plan import PARTNERS, Planned
from tests.reporting.month.reports import tables

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
# Whose conversions a model is asked for where there are many; None is everybody's.
_ASKED = {"last": None, **dict(zip(("first", "linear", "position"), reversed(PARTNERS), strict=True))}
Lines = dict[tuple[Any, ...], Any]


def checks(planned: Callable[[], Iterable[Planned]] | None) -> dict[str, Check]:
    """A check of each model: of its sums, and where the plan is given of each line of credit and each reason.

    Without the plan there are so many events that one model is asked of all partners, and each other one of one alone.
    """
    if planned is None:
        return {f"attribution, {model}": _check_of_many(model, whose) for model, whose in _ASKED.items()}
    credited = cache(lambda: Credited(planned()))
    return {f"attribution, {model}": _check_of_few(model, credited) for model in MODELS}


def _check_of_many(model: str, partner: str | None) -> Check:
    def check(known: Known) -> tuple[Any, Any]:
        return _sums(tables("attribution", partner=partner, model=model)), _known_sums(known, partner)

    return check


def _check_of_few(model: str, credited: Callable[[], Credited]) -> Check:
    def check(known: Known) -> tuple[Any, Any]:
        of = tables("attribution", model=model, by=",".join(SOURCES))
        return _sums(of) | _lines(of), _known_sums(known, None) | _known_lines(credited(), model)

    return check


def _sums(of: Mapping[str, Table]) -> Lines:
    """By currency how many conversions there are and what they are worth: as the totals say, and all lines together."""
    found: Lines = {}
    for currency, conversions, value, others, left in of["total"].rows:
        found["total", currency] = (conversions + others, None if currency is None else value + left)
    listed: defaultdict[str | None, Line] = defaultdict(Line)
    for *_, currency, conversions, value, _ in (*of["credit"].rows, *of["unattributed"].rows):
        listed[currency].add(conversions, value)
    found |= {("listed", currency): (line.conversions, line.value) for currency, line in listed.items()}
    return found | {("values", what, currency): number for what, currency, number in of["values"].rows}


def _known_sums(known: Known, partner: str | None) -> Lines:
    sums: defaultdict[str | None, Sum] = defaultdict(Sum)
    expected: defaultdict[tuple[Any, ...], Any] = defaultdict(int)
    for (whose, currency, issue), (number, value_e4) in known.conversions_by(
        "partner", "currency", "value_issue"
    ).items():
        if partner in (None, whose):
            sums[currency].add(number, value_e4)
            expected["values", issue or ("a value" if currency else "none"), currency] += number
    for currency, one in sums.items():
        worth = (one.events, None if one.value_e4 is None else Decimal(one.value_e4) / 10_000)
        expected["total", currency] = expected["listed", currency] = worth
    return dict(expected)


def _lines(of: Mapping[str, Table]) -> Lines:
    found: Lines = {}
    for *key, conversions, value, touches in of["credit"].rows:
        found["credit", *key] = (conversions, value, touches)
    for reason, currency, conversions, value, nearest in of["unattributed"].rows:
        found["nothing", reason, currency] = (conversions, value, nearest)
    return found


def _known_lines(credited: Credited, model: str) -> Lines:
    expected: Lines = {}
    for key, line in credited.credit[model].items():
        expected["credit", *key] = (line.conversions, line.value, line.touches)
    for of, line in credited.nothing.items():
        expected["nothing", *of] = (line.conversions, line.value, _words(line.nearest))
    return expected


def _words(gap: timedelta | None) -> str | None:
    """A time by the two largest units that it has."""
    if gap is None:
        return None
    left, found = gap // timedelta(seconds=1), list[str]()
    for unit, seconds in _UNITS:
        number, left = divmod(left, seconds)
        found += [f"{number} {unit}"] * (number > 0)
    return " ".join(found[:2]) or "less than 1 s"
