"""What the reports say of the month, in the shape in which it is known."""

import re
from datetime import UTC, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from keys.models import Partner
from reporting.ranges import Range
from reporting.reports import registry
from reporting.reports.answer import Table
from reporting.reports.question import Question
from tests.reporting.month.checks import Check
from tests.reporting.month.known import SHAPED, Known
from tests.reporting.month.plan import BEGIN

# All of the month in every zone.
ALL = Range(BEGIN - timedelta(days=2), BEGIN + timedelta(days=40))


def tables(
    report: str, *arguments: str, zone: str = "UTC", partner: str | None = None, **options: str
) -> dict[str, Table]:
    """The tables of a report, by their names."""
    whose = None if partner is None else Partner.objects.get(name=partner)
    question = Question(ALL, UTC if zone == "UTC" else ZoneInfo(zone), whose, arguments, options)
    return {table.name: table for table in registry.ask(report, question).tables}


def rows(report: str, table: str, zone: str = "UTC", **options: str) -> list[tuple[Any, ...]]:
    """The rows of a table of a report."""
    return [tuple(row) for row in tables(report, zone=zone, **options)[table].rows]


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


def params_of(name: str) -> Check:
    """Of each key how many events have it, of which types its values are, and between which bounds."""

    def check(known: Known) -> tuple[Any, Any]:
        of = tables("params", name)
        found: dict[Any, Any] = {(path, kind): number for path, kind, number in of["types"].rows}
        for path, share, number, _, _, *bounds, longest in of["paths"].rows:
            found[path] = (share, number, *(bound and Decimal(bound) for bound in bounds), longest)
        events, _ = known.by("event_name")[name,]
        expected: dict[Any, Any] = {}
        for key, one in known.params[name].items():
            number = one.types.total() - one.types["null"]
            expected |= {(key, kind): values for kind, values in one.types.items()}
            expected[key] = (number / events, number, one.least, one.largest, one.longest)
        return found, expected

    return check


def conversions(known: Known) -> tuple[Any, Any]:
    """All of the report: what there is, what is left out as a repetition, and which pairs of reports differ."""
    of = tables("conversions")
    found: dict[Any, Any] = {tuple(row[:3]): tuple(row[3:]) for row in of["conversions"].rows}
    found |= {name: tuple(figures) for name, *figures in of["repeats"].rows}
    found["differing"] = _differing(of["differing"])
    expected: dict[Any, Any] = {
        key: (number, *_worth(value_e4, number))
        for key, (number, value_e4) in known.conversions_by("event_name", "currency", "value_issue").items()
    }
    expected |= _known_repeats(known)
    expected["differing"] = (known.differing.total(), {(Decimal("0.05"), True)})
    return found, expected


def _worth(value_e4: int | None, number: int) -> tuple[Decimal | None, Decimal | None]:
    """Return the amount, and the mean of so many: the half of a ten-thousandth counts as a whole one."""
    if value_e4 is None:
        return None, None
    mean = (Decimal(value_e4) / number).quantize(Decimal(1), ROUND_HALF_UP)
    return Decimal(value_e4) / 10_000, mean / 10_000


def _known_repeats(known: Known) -> dict[str, Any]:
    """Return by name how many reports there are of conversions, how many are left out, and how many of those differ."""
    expected = {}
    for (name,), (number, _) in known.conversions_by("event_name").items():
        again, differing = (
            sum(of for (_, of_name), of in counts.items() if of_name == name)
            for counts in (known.repeats, known.differing)
        )
        expected[name] = (number + again, number, again, again / (number + again), differing)
    return expected


def _differing(table: Table) -> tuple[int, set[tuple[Decimal, bool]]]:
    """Return how many pairs differ, listed or not, and how those do that are: by what, and whether in one currency."""
    more = sum(int(re.split(" more pairs", note)[0].replace(",", "")) for note in table.notes)
    found = {
        (other - value, other_currency == currency)
        for *_, value, currency, _, _, _, other, other_currency, _ in table.rows
    }
    return len(table.rows) + more, found


REPORTS: dict[str, Check] = {
    **{f"daily, {zone}": daily_of(zone) for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu")},
    "daily, values": values,
    "daily, no values": no_values,
    "quality": quality,
    "quality, values": value_issues,
    "late": late,
    **{f"params {name}": params_of(name) for name in SHAPED},
    "conversions": conversions,
}
# Above a million events of a range the report says that it estimates them.
OF_FEW: dict[str, Check] = {"daily, clients": clients}
