"""Conversions as they were reported: their sums, the repetitions that were left out, and the pairs that differ.

A conversion is the first received report of one (partner, event_name, event_id), as the view of conversions has it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum

from keys.models import Partner
from reporting.attribution import stored
from reporting.models import ReportedConversion, ReportedEvent
from reporting.ranges import Range
from reporting.reports.answer import Column, Kind, Table
from reporting.totals import Total
from reporting.views.columns import SCALE

# Conversions whose differing reports are listed, the first of the range.
MOST_LISTED = 1_000

_NAME = Column("event_name", Kind.TEXT, "The name of the conversion's event.")
_REPEATS = (
    _NAME,
    Column("reports", Kind.COUNT, "Events that report these conversions."),
    Column("conversions", Kind.COUNT, "Conversions: reports of one partner, event_name and event_id are one."),
    Column("repeats", Kind.COUNT, "Reports that were left out: another report of the conversion came in first."),
    Column("share", Kind.SHARE, "The part of the reports that was left out."),
    Column("differing", Kind.COUNT, "Reports that were left out and have another value or currency."),
)
_FIRST = (
    Column("partner", Kind.TEXT, "The partner."),
    _NAME,
    Column("event_id", Kind.TEXT, "The sender's id of the event."),
    Column("tag", Kind.TEXT, "The tag of the first received report, which counts."),
    Column("channel", Kind.TEXT, "The channel of the report that counts."),
    Column("value", Kind.AMOUNT, "Its value, which counts."),
    Column("currency", Kind.TEXT, "The currency of its value."),
    Column("value_issue", Kind.TEXT, "Why its value is none."),
)
_OTHER = (
    Column("other_tag", Kind.TEXT, "The tag of the report that was left out."),
    Column("other_channel", Kind.TEXT, "The channel of the report that was left out."),
    Column("other_value", Kind.AMOUNT, "The value of the report that was left out."),
    Column("other_currency", Kind.TEXT, "The currency of that value."),
    Column("other_value_issue", Kind.TEXT, "Why that value is none."),
)
_COMPARED = ("value_e4", "currency", "value_issue")


@dataclass(frozen=True, slots=True)
class Line:
    """Conversions of one name, currency and issue of their value, and what was left out of their reports."""

    event_name: str
    currency: str | None
    value_issue: str | None
    conversions: int
    value_e4: int
    repeats: int
    differing: int


def amount(value_e4: int | None) -> Decimal | None:
    """Return ten-thousandths as an amount."""
    return None if value_e4 is None else Decimal(value_e4) / SCALE


def lines(over: Range, partner: Partner | None) -> list[Line]:
    """Return the sums of the conversions of the range. Raises `django.db.Error`."""
    by = stored.conversions(over, partner).order_by("event_name", "currency", "value_issue")
    sums = by.values_list("event_name", "currency", "value_issue").annotate(
        Count("id"), Total("value_e4"), Sum("repeats"), Sum("differing")
    )
    return [Line(*row[:3], *(int(number or 0) for number in row[3:])) for row in sums]


def tables(found: Sequence[Line], over: Range, partner: Partner | None) -> list[Table]:
    """Return the tables of what was left out, and of the pairs that differ. Raises `django.db.Error`."""
    names = dict.fromkeys(line.event_name for line in found)
    of_name = [(name, [line for line in found if line.event_name == name]) for name in names]
    repeats = Table("repeats", "Reports of the same conversion", _REPEATS, [_repeats(*one) for one in of_name], _ONCE)
    return [repeats, _pairs(sum(line.differing for line in found), over, partner)]


_ONCE = (
    "Reports of one partner, event_name and event_id are one conversion, under whatever tags and channels: the first "
    "received counts, with its value. A report without event_id is a conversion.",
)


def _repeats(name: str, found: Iterable[Line]) -> list[Any]:
    conversions, repeats, differing = (
        sum(numbers) for numbers in zip(*((one.conversions, one.repeats, one.differing) for one in found), strict=True)
    )
    reports = conversions + repeats
    return [name, reports, conversions, repeats, repeats / reports, differing]


def _pairs(differing: int, over: Range, partner: Partner | None) -> Table:
    rows = _differing(over, partner) if differing else []
    left = differing - len(rows)
    notes = [f"{left:,} more pairs differ: of the first {MOST_LISTED:,} conversions all are here."] if left else []
    return Table("differing", "Reports of the same conversion that differ in value", (*_FIRST, *_OTHER), rows, notes)


def _differing(over: Range, partner: Partner | None) -> list[list[Any]]:
    listed = stored.conversions(over, partner).filter(differing__gt=0).order_by("timestamp", "id")[:MOST_LISTED]
    firsts = {_once(first): first for first in listed}
    others = stored.any_of(
        ReportedEvent.objects.all(), {"event_id": [first.event_id or "" for first in firsts.values()]}
    )
    pairs: dict[Any, list[ReportedEvent]] = {once: [] for once in firsts}
    for other in others.defer("params", "extra", "consent").order_by("received_at", "id"):
        first = firsts.get(_once(other))
        if first is not None and any(getattr(other, name) != getattr(first, name) for name in _COMPARED):
            pairs[_once(other)].append(other)
    return [_pair(firsts[once], other) for once, found in pairs.items() for other in found]


def _once(event: ReportedConversion | ReportedEvent) -> tuple[int, str, str | None]:
    return event.partner_id, event.event_name, event.event_id


def _pair(first: ReportedConversion, other: ReportedEvent) -> list[Any]:
    return [first.partner, first.event_name, first.event_id, *_report(first), *_report(other)]


def _report(event: ReportedConversion | ReportedEvent) -> list[Any]:
    return [event.tag_id, event.channel, amount(event.value_e4), event.currency, event.value_issue]
