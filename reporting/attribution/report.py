"""The report `attribution`: what conversions are credited to, and what is credited to nothing, with its reason."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reporting.attribution import repeats, stored
from reporting.attribution.options import Booked, Options, in_words, options_of
from reporting.attribution.repeats import amount
from reporting.attribution.sources import SOURCES
from reporting.attribution.tally import Sum, Sums, Tally
from reporting.ranges import Range
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import Question

_LATEST = datetime.max.replace(tzinfo=UTC)
_CURRENCY = Column("currency", Kind.TEXT, "The currency of the value; unknown for conversions without a value.")
_CONVERSIONS = Column("conversions", Kind.AMOUNT, "Conversions, of which a touch can have a part.")
_VALUE = Column("value", Kind.AMOUNT, "Their value, in the row's currency.")
_MONEY = (_CURRENCY, _CONVERSIONS, _VALUE)
_TOUCHES = Column("touches", Kind.COUNT, "How often a touch got credit of a conversion.")
_TOTAL = (
    _CURRENCY,
    Column("attributed", Kind.AMOUNT, "Conversions that are credited to touches."),
    Column("attributed_value", Kind.AMOUNT, "The value that is credited to touches."),
    Column("unattributed", Kind.AMOUNT, "Conversions that are credited to nothing."),
    Column("unattributed_value", Kind.AMOUNT, "The value that is credited to nothing."),
)
_UNATTRIBUTED = (
    Column("reason", Kind.TEXT, "Why the conversions are credited to nothing."),
    *_MONEY,
    Column("nearest", Kind.TEXT, "The smallest time between one of these conversions and such a touch of it."),
)
_MOVED = (Column("what", Kind.TEXT, "Which of the two dates is not in the range."), *_MONEY)
_VALUES = (
    Column("value", Kind.TEXT, "What the conversions have as a value."),
    _CURRENCY,
    Column("conversions", Kind.COUNT, "Conversions of the range."),
)


def attribution(question: Question) -> Answer:
    """Return what the conversions of the range are credited to. Raises `BadQuestion` for an option that is none."""
    options = options_of(question.options)
    tally = Tally(question.over, question.zone, options)
    searched = _searched(question.over, options)
    for found in stored.attributed(searched, options.rules, question.partner):
        tally.add(found)
    lines = repeats.lines(question.over, question.partner)
    others = repeats.tables(lines, question.over, question.partner)
    return Answer(
        "attribution",
        "Attribution: what conversions are credited to",
        {**question.stated(), **options.stated(), **_dates(question, options, searched)},
        [*_tables(tally), *others],
        _NOTES,
    )


_NOTES = (
    "The credits of a conversion sum to its value exactly, in the currency's smallest coin; its parts of a conversion "
    "sum to 1.",
    "manage.py why EVENT shows of one conversion all touches, which won, and by which rule the others lost.",
)


def _searched(over: Range, options: Options) -> Range:
    """Return when the conversions happened that may have credit in the range."""
    if options.booked is Booked.CONVERSION:
        return over
    return replace(over, end=min(over.end, _LATEST - options.rules.longest) + options.rules.longest)


def _dates(question: Question, options: Options, searched: Range) -> dict[str, str]:
    if options.booked is Booked.CONVERSION:
        return {"range applies to": "conversions, whenever their touches were"}
    until = f"{searched.end.astimezone(question.zone):%Y-%m-%d %H:%M}"
    return {
        "range applies to": "touches that are credited, and conversions that are credited to nothing",
        "conversions until before": f"{until}: until then credit can be added",
    }


def _tables(tally: Tally) -> list[Table]:
    options = tally.options
    columns = (*(SOURCES[name].column for name in options.by), *_MONEY, _TOUCHES)
    credit = [[*names, *_money(currency, line), line.touches] for (*names, currency), line in _listed(tally)]
    found = [
        Table("credit", f"Credit by {', '.join(options.by)}", columns, credit),
        Table("total", "Attributed or not", _TOTAL, _total(tally)),
        Table("unattributed", "Credited to nothing", _UNATTRIBUTED, _unattributed(tally.unattributed), _shared(tally)),
        Table("values", "What the conversions have as a value", _VALUES, _values(tally)),
    ]
    if options.booked is Booked.TOUCH:
        moved = [[what, *_money(currency, line)] for (what, currency), line in _sorted(tally.moved)]
        found.append(Table("moved", "Of two dates one in the range", _MOVED, moved))
    return found


def _shared(tally: Tally) -> list[str]:
    if not tally.shared:
        return []
    return [
        f"{tally.shared:,} conversions have an id that is nobody's, since too many touches have it: it matched none."
    ]


def _sorted(sums: Sums) -> list[tuple[tuple[str | None, ...], Sum]]:
    return sorted(sums.items(), key=lambda one: [(name is None, name or "") for name in one[0]])


def _listed(tally: Tally) -> Iterable[tuple[tuple[str | None, ...], Sum]]:
    """Return the credits, days in their order, else the most conversions first."""
    found = _sorted(tally.credits)
    if "day" in tally.options.by:
        place = tally.options.by.index("day")
        return sorted(found, key=lambda one: one[0][place] or "")
    return sorted(found, key=lambda one: -one[1].shares_e4)


def _money(currency: str | None, line: Sum) -> list[Any]:
    return [currency, amount(line.shares_e4), None if currency is None else amount(line.value_e4)]


def _total(tally: Tally) -> list[list[Any]]:
    by_currency: dict[str | None, tuple[Sum, Sum]] = {}
    for place, sums in enumerate((tally.credits, tally.unattributed)):
        for (*_, currency), line in sums.items():
            total = by_currency.setdefault(currency, (Sum(), Sum()))[place]
            total.add(line.shares_e4, line.value_e4)
    order = sorted(by_currency, key=lambda currency: (currency is None, currency or ""))
    return [
        [currency, *_money(currency, by_currency[currency][0])[1:], *_money(currency, by_currency[currency][1])[1:]]
        for currency in order
    ]


def _unattributed(sums: Sums) -> Sequence[Sequence[Any]]:
    return [[reason, *_money(currency, line), _words(line.nearest)] for (reason, currency), line in _sorted(sums)]


def _words(nearest: timedelta | None) -> str | None:
    return None if nearest is None else in_words(nearest)


def _values(tally: Tally) -> list[list[Any]]:
    found = sorted(tally.conversions.items(), key=lambda one: [(text is None, text or "") for text in one[0]])
    return [[issue or ("a value" if currency else "none"), currency, number] for (currency, issue), number in found]
