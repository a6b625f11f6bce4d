"""What the reports say of the month, in the shape in which it is known."""

from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from reporting.ranges import Range
from reporting.reports import registry
from reporting.reports.question import Question
from tests.reporting.month.checks import Check
from tests.reporting.month.known import Known
from tests.reporting.month.plan import BEGIN

# All of the month in every zone.
ALL = Range(BEGIN - timedelta(days=2), BEGIN + timedelta(days=40))


def rows(report: str, table: str, zone: str = "UTC", **options: str) -> list[tuple[Any, ...]]:
    """The rows of a table of a report."""
    answer = registry.ask(report, Question(ALL, UTC if zone == "UTC" else ZoneInfo(zone), options=options))
    (found,) = [one for one in answer.tables if one.name == table]
    return [tuple(row) for row in found.rows]


def daily_of(zone: str) -> Check:
    """The events of each day of a time zone and each partner."""

    def check(known: Known) -> tuple[Any, Any]:
        found = rows("daily", "daily", zone, by="partner")
        return (
            {(day, partner): events for day, partner, events, _ in found},
            {(day.isoformat(), partner): events for (day, partner), events in known.days(zone).items()},
        )

    return check


def clients(known: Known) -> tuple[Any, Any]:
    found = rows("daily", "daily", by="partner")
    expected = {(day.isoformat(), partner): len(of) for (partner, day), of in known.clients.items()}
    return {(day, partner): number for day, partner, _, number in found if number}, expected


def values(known: Known) -> tuple[Any, Any]:
    """Of each day and currency the sum of the values, and how many there are."""
    found = {(day, currency): (number, value) for day, currency, number, value, _ in rows("daily", "value")}
    return found, {
        (day.isoformat(), currency): (events, Decimal(value_e4 or 0) / 10_000)
        for (day, currency), (events, value_e4) in known.dated("day", "currency").items()
        if currency is not None
    }


def no_values(known: Known) -> tuple[Any, Any]:
    expected = {
        issue or "no value": events
        for (currency, issue), (events, _) in known.by("currency", "value_issue").items()
        if currency is None
    }
    return dict(rows("daily", "no_value")), expected


def quality(known: Known) -> tuple[Any, Any]:
    by_name = rows("quality", "names")
    found = {name: (events, no_actor, issues) for name, events, _, no_actor, _, issues, *_ in by_name}
    issues = {(name, issue): events for (name, issue), (events, _) in known.by("event_name", "value_issue").items()}
    return found, {
        name: (events, known.nobodys[name], sum(issues.get((name, issue), 0) for issue in ISSUES))
        for (name,), (events, _) in known.by("event_name").items()
    }


def value_issues(known: Known) -> tuple[Any, Any]:
    found = {(name, issue): events for name, issue, _, events in rows("quality", "value_issues")}
    counts = known.by("event_name", "value_issue").items()
    return found, {key: events for key, (events, _) in counts if key[1] is not None}


ISSUES = ("value_not_a_number", "value_out_of_range", "no_currency", "unknown_currency")


def late(known: Known) -> tuple[Any, Any]:
    found = {name: events for name, events, *_ in rows("late", "late")}
    names = ("within a minute", "within an hour", "within a day", "within a week", "later")
    expected = dict.fromkeys(("no time sent", "before its time"), 0)
    return found, expected | {name: known.late[of] for of, name in enumerate(names)}


REPORTS: dict[str, Check] = {
    **{f"daily, {zone}": daily_of(zone) for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu")},
    "daily, values": values,
    "daily, no values": no_values,
    "quality": quality,
    "quality, values": value_issues,
    "late": late,
}
# Above a million events of a range the report says that it estimates them.
OF_FEW: dict[str, Check] = {"daily, clients": clients}
