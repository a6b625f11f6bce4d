import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from reporting.ranges import Range
from reporting.reports.periods import period
from reporting.reports.question import BadQuestion

BERLIN, KIRITIMATI = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Kiritimati")
NOW = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("since", "until", "zone", "start", "end"),
    [
        (None, None, UTC, "2026-10-28T00:00Z", "2026-11-27T00:00Z"),
        # There it is the 27th already.
        (None, None, BERLIN, "2026-10-29T00:00+01:00", "2026-11-28T00:00+01:00"),
        (None, None, KIRITIMATI, "2026-10-29T00:00+14:00", "2026-11-28T00:00+14:00"),
        # Between them clocks were set back: 30 days from midnight to midnight are an hour longer.
        (None, "2026-11-01", BERLIN, "2026-10-02T00:00+02:00", "2026-11-01T00:00+01:00"),
        (None, "2026-11-01T14:30", UTC, "2026-10-02T14:30Z", "2026-11-01T14:30Z"),
        ("2026-11-01", None, BERLIN, "2026-11-01T00:00+01:00", "2026-11-28T00:00+01:00"),
        ("2026-11-01", "2026-12-01", BERLIN, "2026-11-01T00:00+01:00", "2026-12-01T00:00+01:00"),
        ("2026-11-01T08:00-05:00", "2026-11-02", BERLIN, "2026-11-01T13:00Z", "2026-11-02T00:00+01:00"),
    ],
)
def test_period(since: str | None, until: str | None, zone: ZoneInfo, start: str, end: str) -> None:
    assert period(since, until, zone, NOW) == Range(at(start), at(end))


@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        ("soon", None, "since: 'soon' is no date"),
        (None, "2026-13-01", "until: '2026-13-01' is no date"),
        ("2026-12-01", None, "since: 2026-12-01 00:00 is not before 2026-11-28 00:00, the end"),
        ("2026-11-01", "2026-11-01", "since: 2026-11-01 00:00 is not before"),
        ("0001-01-01", None, "since: '0001-01-01' lies outside of the years"),
        (None, "0001-01-02", "until: no time is left before it"),
    ],
)
def test_what_is_no_period_is_said_with_its_option(since: str | None, until: str | None, why: str) -> None:
    with pytest.raises(BadQuestion, match=re.escape(why)):
        period(since, until, BERLIN, NOW)
