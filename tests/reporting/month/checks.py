"""What the program says of the month, in the shape in which it is known. Each check returns what is found and known."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate

from collect.models import Event
from reporting.models import DailyCount, Quarter, ReportedConversion, ReportedEvent, ReportedTouch
from runtime.postgresql.patience import patient
from tests.reporting.month.known import DIMENSIONS, QUARTER, ZONES, Known
from tests.reporting.month.plan import BEGIN

_PATIENCE_SECONDS = 3_600
Check = Callable[[Known], tuple[Any, Any]]
# What the view of events calls the dimensions of the counts.
_OF_EVENTS = {"country": "geo_country", "browser": "ua_browser"}


def stored(known: Known) -> tuple[Any, Any]:
    return Event.objects.count(), known.stored


def events(*names: str) -> Check:
    """The events by some dimensions, counted from the view of single events."""

    def check(known: Known) -> tuple[Any, Any]:
        columns = [_OF_EVENTS.get(name, name) for name in names]
        found = ReportedEvent.objects.values_list(*columns).annotate(Count("id"), Sum("value_e4")).order_by()
        return _pairs(found), known.by(*names)

    return check


def days(known: Known) -> tuple[Any, Any]:
    """The same of all dimensions, from the view of days."""
    found = DailyCount.objects.values_list(*DIMENSIONS).annotate(Sum("events"), Sum("value_e4")).order_by()
    return _pairs(found), known.dated()


def values_in_units(known: Known) -> tuple[Any, Any]:
    """Money by currency as the view of days has it in units, and no float among it."""
    found = DailyCount.objects.filter(currency__isnull=False).values_list("currency").annotate(Sum("value")).order_by()
    expected = {of: Decimal(e4 or 0) / 10_000 for (of,), (_, e4) in known.by("currency").items() if of}
    return {currency: value.quantize(Decimal("0.0001")) for currency, value in found}, expected


def days_of(zone: str) -> Check:
    """The events of the days of a time zone, summed up from quarter-hours."""

    def check(known: Known) -> tuple[Any, Any]:
        found: Counter[tuple[date, str]] = Counter()
        rows = (
            Quarter.objects.filter(is_test=False).values_list("quarter", "partner").annotate(Sum("events")).order_by()
        )
        for quarter, partner, number in rows:
            at = _milliseconds(quarter)
            found[(BEGIN + timedelta(milliseconds=at + ZONES[zone](at))).date(), partner] += number
        return dict(found), known.days(zone)

    return check


def quarters(known: Known) -> tuple[Any, Any]:
    rows = Quarter.objects.values_list("quarter", "partner", "is_test").annotate(Sum("events")).order_by()
    return {(_milliseconds(at) // QUARTER, *rest): number for at, *rest, number in rows}, dict(known.quarters)


def arrived(known: Known) -> tuple[Any, Any]:
    rows = Quarter.objects.values_list("arrived", "is_test").annotate(Sum("events")).order_by()
    return {(_milliseconds(at) // QUARTER, is_test): number for at, is_test, number in rows}, dict(known.arrived)


def conversions(known: Known) -> tuple[Any, Any]:
    by = ReportedConversion.objects.values_list("partner", "event_name", "currency", "value_issue")
    found = by.annotate(Count("id"), Sum("value_e4")).order_by()
    return _pairs(found), {key: one.pair for key, one in known.conversions.items()}


def repeats(known: Known) -> tuple[Any, Any]:
    by = ReportedConversion.objects.values_list("partner", "event_name")
    found = by.annotate(Sum("repeats"), Sum("differing")).order_by()
    expected = {key: (number, known.differing[key]) for key, number in known.repeats.items()}
    return {(partner, name): (again, others) for partner, name, again, others in found}, expected


def touches(known: Known) -> tuple[Any, Any]:
    by = ReportedTouch.objects.values_list("partner", "kind")
    found = by.annotate(Count("id"), Count("interaction"), different=Count("interaction", distinct=True)).order_by()
    expected = {
        key: (known.touches[*key, True] + known.touches[*key, False], known.touches[*key, True], len(of))
        for key, of in known.interactions.items()
    }
    return {(partner, kind): tuple(counts) for partner, kind, *counts in found}, expected


def clients(known: Known) -> tuple[Any, Any]:
    """The distinct clients of each day and partner."""
    by = ReportedEvent.objects.exclude(client_id=None).values_list("partner", TruncDate("timestamp", tzinfo=UTC))
    found = by.annotate(Count("client_id", distinct=True)).order_by()
    return {(partner, day): number for partner, day, number in found}, {
        key: len(of) for key, of in known.clients.items()
    }


def late(known: Known) -> tuple[Any, Any]:
    """How many events came so late, or later."""
    bounds = {f"late_{number}": Q(late__gt=bound) for number, bound in enumerate(_LATE)}
    of_bounds = {name: Count("id", filter=is_late) for name, is_late in bounds.items()}
    found = ReportedEvent.objects.alias(late=F("received_at") - F("timestamp")).aggregate(**of_bounds)
    return list(found.values()), [sum(number for of, number in known.late.items() if of >= least) for least in range(5)]


_LATE = (timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7))


def nobodys(known: Known) -> tuple[Any, Any]:
    found = ReportedEvent.objects.filter(client_id=None, session_id=None).values_list("event_name")
    return dict(found.annotate(Count("id")).order_by()), dict(known.nobodys)


COUNTED: dict[str, Check] = {
    "days": days,
    "values in units": values_in_units,
    "quarter-hours": quarters,
    "quarter-hours of arrival": arrived,
    **{f"days of {zone}": days_of(zone) for zone in ZONES},
}
OF_EVENTS: dict[str, Check] = {
    "stored": stored,
    "events by name": events("partner", "tag_id", "event_name", "channel"),
    "events by person": events("partner", "country", "browser"),
    "money": events("partner", "event_name", "currency", "value_issue"),
    "conversions": conversions,
    "repeats": repeats,
    "touches": touches,
    "clients": clients,
    "late": late,
    "nobody's": nobodys,
}


def differences(checks: dict[str, Check], known: Known) -> dict[str, Any]:
    """Return what is not as it is known, by the name of the check: a few of the figures, found and known."""
    told = {}
    for name, check in checks.items():
        # Nobody waits for it, and of ten million events a statement may take minutes.
        with transaction.atomic(), patient(_PATIENCE_SECONDS):
            found, expected = check(known)
        if found != expected:
            told[name] = _first(found, expected)
    return told


def _first(found: Any, expected: Any) -> Any:
    if not isinstance(found, dict):
        return found, expected
    keys = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    return len(keys), [(key, found.get(key), expected.get(key)) for key in keys[:3]]


def _pairs(rows: Any) -> dict[tuple[Any, ...], tuple[int, int | None]]:
    return {tuple(key): (events, None if value is None else int(value)) for *key, events, value in rows}


def _milliseconds(moment: datetime) -> int:
    return (moment - BEGIN) // timedelta(milliseconds=1)
