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
    end = _moment("until", until, zone) if until else datetime.combine(tomorrow, time(), zone).astimezone(UTC)
    start = _moment("since", since, zone) if since else _before(end, zone)
    if start >= end:
        shown = (f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in (start, end))
        raise BadQuestion(f"since: {' is not before '.join(shown)}, the end")
    return Range(start, end)


def _moment(name: str, text: str, zone: tzinfo) -> datetime:
    try:
        moment = moment_of(text, zone)
        moment.astimezone(zone)
    except OverflowError:
        raise BadQuestion(f"{name}: {text!r} lies outside of the years 1 to 9999") from None
    except BadQuestion as error:
        raise BadQuestion(f"{name}: {error}") from None
    return moment


def _before(end: datetime, zone: tzinfo) -> datetime:
    """Return the same time of day 30 days earlier, whatever the clocks did in between."""
    try:
        return (end.astimezone(zone) - timedelta(days=DAYS)).astimezone(UTC)
    except OverflowError:
        raise BadQuestion("until: no time is left before it") from None
