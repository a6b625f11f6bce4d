from datetime import UTC, datetime, timedelta

import pytest

from reporting import ranges
from reporting.ranges import BadRange, Range


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, 26, hour, minute, second, tzinfo=UTC)


def test_last_ends_with_the_running_minute() -> None:
    assert ranges.last(timedelta(hours=1), at(14, 5, 30)) == Range(at(13, 6), at(14, 6))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"from": "2026-11-26T14:00Z", "until": "2026-11-26T15:00Z"}, Range(at(14), at(15))),
        ({"from": "2026-11-26 14:00", "until": "2026-11-26T16:00+01:00"}, Range(at(14), at(15))),
        ({"from": "2026-11-26T14:00:05Z", "until": "2026-11-26T15:00Z"}, Range(at(14, 0, 5), at(15))),
        ({"until": "2026-11-26T15:00Z", "default": "1h"}, Range(at(14), at(15))),
    ],
)
def test_address_names_a_range_and_the_range_names_the_address(query: dict[str, str], found: Range) -> None:
    assert ranges.of_query(query, query.pop("default", "24h")) == found
    assert ranges.of_query(found.query) == found


@pytest.mark.parametrize(
    "query",
    [
        {"range": "1y"},
        {"from": "yesterday"},
        {"from": "2026-11-26", "until": "2026-11-25"},
        {"from": "0002-01-01", "until": "2026-11-26"},
    ],
)
def test_what_is_no_range_is_refused_with_its_text(query: dict[str, str]) -> None:
    with pytest.raises(BadRange, match=r"1y|yesterday|2026-11-26"):
        ranges.of_query(query)


def test_range_is_written_out() -> None:
    assert str(Range(at(14), at(15))) == "2026-11-26 14:00 to 15:00 UTC"
    assert str(Range(at(14, 0, 5), at(15))) == "2026-11-26 14:00:05 to 15:00:00 UTC"
    assert str(Range(at(14), at(15)).before(timedelta(days=1))) == "2026-11-25 14:00 to 15:00 UTC"
    assert str(Range(at(14) - timedelta(days=1), at(15))) == "2026-11-25 14:00 to 2026-11-26 15:00 UTC"
