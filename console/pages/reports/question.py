"""The question that the address of a report's page asks, and the address that asks a question."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from urllib.parse import urlencode

from django.http import QueryDict

from keys.models import Partner
from reporting.ranges import LONGEST, Range
from reporting.reports import registry
from reporting.reports.periods import period
from reporting.reports.question import BadQuestion, Question, zone_of
from reporting.reports.registry import Argument, Report

# What every report's address may have; no argument or option of a report is called so.
SHARED = ("from", "until", "tz", "partner", "table", "run")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def parameter(argument: Argument) -> str:
    """Return the name that an argument has in an address."""
    return argument.metavar.lower()


def given(argument: Argument, query: QueryDict) -> list[str]:
    """Return the values of an argument; of one that may be given several times each line is one."""
    texts = query.getlist(parameter(argument))
    lines = [line for text in texts for line in text.splitlines()] if argument.is_many else texts
    return [line.strip() for line in lines if line.strip()]


def read(report: Report, query: QueryDict, now: datetime | None = None) -> Question | None:
    """Return the whole question of the address; None while it lacks an argument. Raises `BadQuestion`."""
    zone = zone_of(query.get("tz", "").strip())
    over = _period(query, zone, now)
    arguments: list[str] = []
    for argument in report.arguments:
        found = given(argument, query)
        if not found:
            return None
        arguments += found if argument.is_many else found[-1:]
    options = {option.name: query.get(option.name, "").strip() for option in report.options}
    named = {name: value for name, value in options.items() if value}
    return registry.completed(report.name, Question(over, zone, _partner(query), tuple(arguments), named))


def _period(query: QueryDict, zone: tzinfo, now: datetime | None) -> Range:
    since, until = (query.get(name, "").strip() or None for name in ("from", "until"))
    try:
        over = period(since, until, zone, now)
    except BadQuestion as error:
        text = str(error)
        raise BadQuestion(f"from: {text.removeprefix('since: ')}" if text.startswith("since: ") else text) from None
    # A report has a row for each day, whether anything happened or not.
    if over.length > LONGEST:
        raise BadQuestion(f"from: a page has {LONGEST.days:,} days at most; `manage.py report` has any number of them")
    return over


def _partner(query: QueryDict) -> Partner | None:
    text = query.get("partner", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadQuestion(f"partner: a number, not {text!r}")
    partner = Partner.objects.filter(pk=int(text)).first()
    if partner is None:
        raise BadQuestion(f"partner: there is none of the number {text}")
    return partner


def address(
    report: Report, question: Question, more: Mapping[str, str] | None = None, *, with_times: bool = False
) -> str:
    """Return the query that asks this question, whenever that is; `more` are parameters beside it.

    `with_times` has it name times of day, so that the form has fields for them.
    """
    pairs = _pairs(report, question)
    if with_times:
        pairs[:2] = [(name, text if "T" in text else f"{text}T00:00") for name, text in pairs[:2]]
    return urlencode([*pairs, *(more or {}).items()])


def _pairs(report: Report, question: Question) -> list[tuple[str, str]]:
    pairs = [("from", local(question.over.start, question.zone)), ("until", local(question.over.end, question.zone))]
    pairs.append(("tz", str(question.zone)))
    if question.partner is not None:
        pairs.append(("partner", str(question.partner.pk)))
    rest = list(question.arguments)
    for argument in report.arguments:
        taken, rest = (rest, []) if argument.is_many else (rest[:1], rest[1:])
        pairs += [(parameter(argument), text) for text in taken]
    defaults = {option.name: option.default for option in report.options}
    return pairs + [(name, value) for name, value in question.options.items() if value != defaults.get(name)]


def local(moment: datetime, zone: tzinfo) -> str:
    """Return the moment as an address has it: a date for its midnight in the zone, else with the zone's offset."""
    here = moment.astimezone(zone)
    if here.time() == datetime.min.time() and not here.fold:
        return here.date().isoformat()
    return here.isoformat(timespec="auto" if here.second or here.microsecond else "minutes")


@dataclass(frozen=True, slots=True)
class Times:
    """The beginning and the end as the form has them, in fields of a `kind`: of dates, with times of day, or texts."""

    kind: str
    since: str
    until: str


def times(query: QueryDict, question: Question | None) -> Times:
    """Return what was typed or, where the address names no time, what the question means by that."""
    typed = Times("text", query.get("from", ""), query.get("until", ""))
    if question is None:
        is_day = all(not text or _DAY.fullmatch(text) for text in (typed.since, typed.until))
        return replace(typed, kind="date") if is_day else typed
    moments = [moment.astimezone(question.zone) for moment in (question.over.start, question.over.end)]
    if "T" in typed.since + typed.until or any(moment.time() != datetime.min.time() for moment in moments):
        return Times("datetime-local", *(f"{moment.replace(tzinfo=None):%Y-%m-%dT%H:%M:%S}" for moment in moments))
    return Times("date", *(moment.date().isoformat() for moment in moments))


@dataclass(frozen=True, slots=True)
class Preset:
    """A range that people ask for often, and the address that asks for it."""

    name: str
    query: str
    is_chosen: bool


def presets(report: Report, question: Question, now: datetime | None = None) -> Sequence[Preset]:
    """Return the usual ranges as addresses of the same question. Days are those of its time zone."""
    pairs = _pairs(report, question)
    kept = [(name, value) for name, value in pairs if name not in ("from", "until")]
    asked = dict(pairs[:2])
    found = []
    for name, (start, end) in _usual((now or datetime.now(UTC)).astimezone(question.zone).date()).items():
        times = {"from": start.isoformat(), "until": end.isoformat()}
        found.append(Preset(name, urlencode([*times.items(), *kept]), times == asked))
    return found


def _usual(today: date) -> Mapping[str, tuple[date, date]]:
    tomorrow, month = today + timedelta(days=1), today.replace(day=1)
    return {
        "today": (today, tomorrow),
        "yesterday": (today - timedelta(days=1), today),
        "7 days": (tomorrow - timedelta(days=7), tomorrow),
        "30 days": (tomorrow - timedelta(days=30), tomorrow),
        "90 days": (tomorrow - timedelta(days=90), tomorrow),
        "this month": (month, tomorrow),
        "last month": ((month - timedelta(days=1)).replace(day=1), month),
    }
