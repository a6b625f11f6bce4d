"""Why a conversion is credited to what it is: all its touches, which won, and by which rule each of the others lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any
from uuid import UUID

from collect.models import Event
from keys.models import Partner
from reporting.attribution import options, rules, stored
from reporting.attribution.attributing import Attribution, Credit
from reporting.attribution.journey import MATCHES, Touch
from reporting.attribution.options import in_words
from reporting.attribution.repeats import amount
from reporting.attribution.rules import Model, Rules, Verdict
from reporting.models import ReportedConversion, ReportedEvent
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import BadQuestion
from reporting.views.columns import CONVERSIONS
from runtime import display

_FACTS = (Column("what", Kind.TEXT, "What is told of it."), Column("is", Kind.TEXT, "As it was reported."))
_TOUCHES = (
    Column("place", Kind.COUNT, "The place in the order of candidates; unknown for what is no candidate."),
    Column("kind", Kind.TEXT, "What the touch is: a click or a view."),
    Column("interaction", Kind.TEXT, "The ad's interaction: click_id or impression_id."),
    Column("at", Kind.MOMENT, "When the earliest event happened that shows the touch."),
    Column("before", Kind.TEXT, "How long before the conversion that was; with a minus how long after it."),
    Column("match", Kind.TEXT, "The strongest id that both have in common."),
    Column("share", Kind.SHARE, "Its part of the conversion."),
    Column("value", Kind.AMOUNT, "Its part of the value."),
    Column("currency", Kind.TEXT, "The currency of the value."),
    Column("why", Kind.TEXT, "The rule by which it won or lost."),
    Column("event_name", Kind.TEXT, "The name of the event that shows the touch."),
    Column("tag", Kind.TEXT, "The tag of that event."),
    Column("event", Kind.TEXT, "The id of that event."),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A conversion that somebody asks about, as the reports have it."""

    conversion: ReportedConversion | ReportedEvent
    repeats: int = 0
    differing: int = 0


def why(asked: Asked, by: Rules, zone: tzinfo) -> Answer:
    """Return what the conversion is credited to and why. Raises `django.db.Error`."""
    found = stored.one(asked.conversion, by)
    candidates = [_candidate(found, by, place) for place in range(len(found.credits))]
    others = [_lost(touch, verdict, by) for touch, verdict in found.lost]
    return Answer(
        "why",
        _title(found),
        {"time zone": str(zone), **options.stated(by)},
        [
            Table("touches", "Touches of the conversion", _TOUCHES, [*candidates, *others]),
            Table("conversion", "The conversion", _FACTS, _facts(asked)),
        ],
        _notes(found),
    )


def _title(found: Attribution) -> str:
    if found.reason is not None:
        return f"Credited to nothing: {found.reason}"
    credited = [credit for credit in found.credits if credit.weight]
    if len(credited) > 1:
        return f"Credited to {len(credited)} touches"
    touch = credited[0].touch
    return f"Credited to the {touch.by.kind} {touch.by.interaction or 'without an id'}"


def _notes(found: Attribution) -> list[str]:
    return [
        f"Its {MATCHES[place]} is nobody's, since too many touches have it: it matches none."
        for place in found.conversion.shared
    ]


def _facts(asked: Asked) -> list[list[str]]:
    event = asked.conversion
    names = ("id", "partner", "event_name", "event_id", "tag_id", "attribution_type", *MATCHES)
    told = {name: str(value) for name in names if (value := getattr(event, name)) is not None}
    told["timestamp"] = display.exact(event.timestamp)
    if event.value_e4 is not None:
        told["value"] = f"{amount(event.value_e4)} {event.currency}"
    else:
        told["value"] = event.value_issue or "none"
    if asked.repeats:
        told["later reports, left out"] = f"{asked.repeats}, of which {asked.differing} differ in value"
    return [list(fact) for fact in told.items()]


# --- the touches -----------------------------------------------------------------------------------


def _candidate(found: Attribution, by: Rules, place: int) -> list[Any]:
    credit = found.credits[place]
    because = _because([one.touch for one in found.credits], credit, by.model)
    return _row(credit.touch, place + 1, credit.weight / credit.total, [*_money(found, credit), because])


def _lost(touch: Touch, verdict: Verdict, by: Rules) -> list[Any]:
    kind = touch.by.kind
    window = f"outside the window of {in_words(by.window(kind))} that a {kind} has"
    return _row(touch, None, None, [None, None, window if verdict is Verdict.OUTSIDE else str(verdict)])


def _money(found: Attribution, credit: Credit) -> list[Any]:
    return [amount(credit.value_e4), found.conversion.currency]


def _row(touch: Touch, place: int | None, share: float | None, outcome: Sequence[Any]) -> list[Any]:
    shown = touch.by
    before = ("-" if touch.gap < timedelta(0) else "") + in_words(abs(touch.gap))
    return [
        place, shown.kind, shown.interaction, shown.timestamp, before, MATCHES[touch.match], share, *outcome,
        shown.event_name, shown.tag_id, str(shown.id),
    ]  # fmt: skip


def _because(order: Sequence[Touch], credit: Credit, model: Model) -> str:
    """Return the rule by which a candidate has its credit, or none."""
    if len(order) == 1:
        return "won: the only candidate"
    if model is Model.LINEAR:
        return "every candidate gets the same"
    if model is Model.POSITION:
        return _position(order, credit.touch)
    return _won_or_lost(order, credit.touch, model)


def _won_or_lost(order: Sequence[Touch], touch: Touch, model: Model) -> str:
    is_last = model is Model.LAST
    winner = order[0] if is_last else rules.opening(order)
    if touch is winner:
        return f"won: the {'latest' if is_last else 'earliest'} {touch.by.kind}"
    if rules.priority(touch) != rules.priority(winner):
        return "lost: a click comes before a view"
    if touch.gap != winner.gap:
        return f"lost: another {touch.by.kind} is {'later' if is_last else 'earlier'}"
    return f"lost: another {touch.by.kind} of the same moment was received first"


def _position(order: Sequence[Touch], touch: Touch) -> str:
    if len(order) == 2:
        return "one of two: half"
    if touch is order[0]:
        return f"the latest {touch.by.kind}: 40 %"
    if touch is rules.opening(order[1:]):
        return f"the earliest {touch.by.kind} of the others: 40 %"
    return "between the two ends: a part of 20 %"


# --- the conversion --------------------------------------------------------------------------------


def asked_by_id(text: str) -> Asked:
    """Return the conversion with this id. Raises `BadQuestion` for what is none, with the reason."""
    try:
        id = UUID(text)
    except ValueError:
        raise BadQuestion(f"{text!r} is no id of an event; if it is a sender's event_id, name the --partner") from None
    event = Event.objects.select_related("partner").filter(pk=id).first()
    if event is None:
        raise BadQuestion(f"There is no event {id}. It may have been erased or pruned")
    _refuse_other(event)
    if event.event_id is None:
        return Asked(ReportedEvent.objects.get(pk=id))
    first = _first(event)
    if first.conversion.id != id:
        raise BadQuestion(
            f"{id} is a later report of conversion {first.conversion.id}, which counts, and is not counted itself; ask "
            "about that one"
        )
    return first


def asked_by_event_id(text: str, partner: Partner) -> Asked:
    """Return the conversion with this event_id of the partner. Raises `BadQuestion` for what is none."""
    events = list(Event.objects.filter(partner=partner, event_id=text).order_by("received_at", "pk"))
    if not events:
        raise BadQuestion(f"{partner.name} has no event with the event_id {text!r}")
    found = {event.event_name: event for event in events if not event.is_test and event.event_name in CONVERSIONS}
    if not found:
        _refuse_other(events[0])
    if len(found) > 1:
        named = ", ".join(f"{event.event_name} {event.pk}" for event in found.values())
        raise BadQuestion(f"{text!r} is the event_id of several conversions; ask about the id of one: {named}")
    return _first(*found.values())


def _refuse_other(event: Event) -> None:
    if event.is_test:
        raise BadQuestion(f"{event.pk} is an event of a test key, which no report counts")
    if event.event_name not in CONVERSIONS:
        raise BadQuestion(
            f"{event.pk} is named {event.event_name!r}, and no conversion; those are named {', '.join(CONVERSIONS)}"
        )


def _first(event: Event) -> Asked:
    """Return the report that counts of the conversion that the event, which has an event_id, reports."""
    first = ReportedConversion.objects.get(
        partner_id=event.partner_id, event_name=event.event_name, event_id=event.event_id
    )
    return Asked(first, first.repeats, first.differing)
