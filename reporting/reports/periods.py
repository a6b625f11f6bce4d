"""The time that a report is about where nobody has said it, or only its beginning or its end."""

from datetime import UTC, datetime, time, timedelta, tzinfo

from reporting.ranges import Range
from reporting.reports.question import BadQuestion, moment_of

DAYS = 30


def period(since: str | None, until: str | None, zone: tzinfo, now: datetime | None = None) -> Range:
    """Return the time from `since` until before `until`; the last 30 days up to the coming midnight of the zone.

    Raises `BadQuestion` for what is no time, beginning with `since: ` or `until: `.
    """
    tomorrow = (now or datetime.now(UTC)).astimezone(zone).date() + timedelta(days=1)
    end = moment("until", until, zone) if until else datetime.combine(tomorrow, time(), zone).astimezone(UTC)
    start = moment("since", since, zone) if since else _before(end, zone)
    if start >= end:
        shown = (f"{one.astimezone(zone):%Y-%m-%d %H:%M}" for one in (start, end))
        raise BadQuestion(f"since: {' is not before '.join(shown)}, the end")
    return Range(start, end)


def moment(name: str, text: str, zone: tzinfo) -> datetime:
    """Return the moment that a text is, in `zone` unless it names one.

    Raises `BadQuestion`, beginning with `name`, for what is none.
    """
    try:
        found = moment_of(text, zone)
        found.astimezone(zone)
    except OverflowError:
        raise BadQuestion(f"{name}: {text!r} lies outside of the years 1 to 9999") from None
    except BadQuestion as error:
        raise BadQuestion(f"{name}: {error}") from None
    return found


def _before(end: datetime, zone: tzinfo) -> datetime:
    """Return the same time of day 30 days earlier, whatever the clocks did in between."""
    try:
        return (end.astimezone(zone) - timedelta(days=DAYS)).astimezone(UTC)
    except OverflowError:
        raise BadQuestion("until: no time is left before it") from None
