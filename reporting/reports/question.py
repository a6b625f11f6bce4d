"""What a report is asked: a time, a time zone, a partner, and the report's own options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

from keys.models import Partner
from reporting.ranges import Range


class BadQuestion(ValueError):  # noqa: N818  # said to a person, who made no error of ours
    """The question names something that is none: the text says which, and what could be meant."""


@dataclass(frozen=True, slots=True)
class Question:
    """A report's range of event times (`timestamp`), its time zone, whose events, and what else the report takes."""

    over: Range
    zone: tzinfo = UTC
    # None: of all partners.
    partner: Partner | None = None
    # What stands behind the report's name, as the steps of a funnel or the name of an event.
    arguments: Sequence[str] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def stated(self) -> dict[str, str]:
        """Return what every answer depends on, in words."""
        return {
            "events from": f"{self.over.start.astimezone(self.zone):%Y-%m-%d %H:%M}",
            "until before": f"{self.over.end.astimezone(self.zone):%Y-%m-%d %H:%M}",
            "time zone": str(self.zone),
            "partner": self.partner.name if self.partner else "all",
            "test events": "not counted",
        }


def zone_of(name: str) -> tzinfo:
    """Return the time zone of this name, as `Europe/Berlin`. Raises `BadQuestion` for what is none."""
    if name.upper() in ("", "UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadQuestion(f"time zone: {name!r} is none; write it as Europe/Berlin or UTC") from None


def moment_of(text: str, zone: tzinfo) -> datetime:
    """Return a date (its midnight) or moment of ISO 8601, in `zone` unless it names one. Raises `BadQuestion`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise BadQuestion(f"{text!r} is no date; write it as 2026-11-26 or 2026-11-26T14:00") from None
    else:
        found = datetime.combine(day, time())
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
