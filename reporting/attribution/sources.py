"""What credit can be listed by: each has one definition, a name and a sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from reporting.attribution.journey import MATCHES, Conversion, Touch
from reporting.reports.answer import Column, Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """A credit as it is booked: of which conversion, to which touch, on which day of the time zone."""

    conversion: Conversion
    touch: Touch
    day: date


@dataclass(frozen=True, slots=True)
class Source:
    """Something that credit is listed by."""

    column: Column
    of: Callable[[Entry], str | None]


def _source(name: str, sentence: str, of: Callable[[Entry], str | None]) -> tuple[str, Source]:
    return name, Source(Column(name, Kind.TEXT, sentence), of)


SOURCES = dict(
    (
        _source("conversion", "The name of the conversion's event.", lambda one: one.conversion.event_name),
        _source("kind", "What the touch is: a click or a view.", lambda one: one.touch.by.kind),
        _source(
            "interaction", "The ad's interaction: click_id or impression_id.", lambda one: one.touch.by.interaction
        ),
        _source("tag", "The tag of the earliest event that shows the touch.", lambda one: one.touch.by.tag_id),
        _source("event_name", "The name of the event that shows the touch.", lambda one: one.touch.by.event_name),
        _source("match", "The strongest id that both have in common.", lambda one: MATCHES[one.touch.match]),
        _source("partner", "The partner, whose both are.", lambda one: one.conversion.partner),
        _source("day", "The day on which the credit is booked.", lambda one: one.day.isoformat()),
    )
)
