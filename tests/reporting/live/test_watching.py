"""What a watcher is told, look by look, at moments that the tests choose."""

from datetime import timedelta

import pytest

from collect.models import LateArrival
from keys.models import ApiKey
from reporting.live import listing, stream, watching
from reporting.live.filters import BadFilter, Filter
from reporting.live.stream import Place
from reporting.live.watching import Cursor, News
from tests.harness import factories
from tests.reporting.live.stored import NOW, events, rejection

pytestmark = pytest.mark.django_db

ALL = Filter()


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def look(cursor: Cursor | None, after: float = 0, chosen: Filter = ALL) -> News:
    """Look so many seconds after NOW, with the cursor as the address of a page hands it on."""
    again = cursor and watching.read(str(cursor))
    return watching.look(chosen, again, NOW + timedelta(seconds=after))


def ids(news: News) -> list[str]:
    return [row.id for one in news.seconds for row in one.rows]


def test_look_tells_of_what_came_since_the_one_before_and_of_nothing_twice(key: ApiKey) -> None:
    old = events(key, 30, 10)
    first = look(None)
    assert ids(first) == old[::-1]
    assert ids(look(first.cursor, 2)) == []
    new = events(key, -1)
    second = look(first.cursor, 2)
    assert (ids(second), second.new) == (new, 1)
    assert ids(look(second.cursor, 4)) == []


@pytest.mark.parametrize("chosen", ["all", "partner", "key"])
@pytest.mark.parametrize("lateness", [1, 14, 58])
def test_row_that_is_committed_behind_the_cursor_is_told(key: ApiKey, lateness: float, chosen: str) -> None:
    wanted = {"all": ALL, "partner": Filter(partner=key.partner_id), "key": Filter(key.partner_id, key.pk)}[chosen]
    shown = events(key, 0)
    cursor = look(None, 0, wanted).cursor
    for after in range(2, int(lateness), 2):
        cursor = look(cursor, after, wanted).cursor
    committed = events(key, 0.1)
    told: list[str] = []
    for after in range(int(lateness), int(lateness) + watching.DEEP_EVERY + 4, 2):
        news = look(cursor, after, wanted)
        told, cursor = told + ids(news), news.cursor
    assert told == shown + committed
    assert LateArrival.objects.count() == 0


def test_second_with_many_rows_is_folded_to_its_newest_and_its_list_has_all(key: ApiKey) -> None:
    stored = events(key, *(0.4 - number / 100 for number in range(30)))
    (one,) = look(None).seconds
    assert [row.id for row in one.rows] == stored[::-1][: watching.SHOWN]
    assert (one.events, one.rejections, one.more) == (30, 0, 30 - watching.SHOWN)
    found, place = [], Place()
    while True:
        page = listing.page(ALL, one.range, place, 7)
        found += [row.id for row in page.rows]
        if page.older is None:
            break
        place = listing.read(listing.write(page.older))
    assert found == stored[::-1]


def test_a_second_that_has_grown_is_told_again_with_its_new_number(key: ApiKey) -> None:
    events(key, *[0.2] * 12)
    first = look(None)
    events(key, *[0.2] * 3)
    (one,) = look(first.cursor, 1).seconds
    assert (one.events, one.more, one.was_told) == (15, 15 - watching.SHOWN, True)
    assert look(first.cursor, 1).new == 3


def test_time_that_nobody_looked_is_caught_up_row_by_row_or_as_one_link(key: ApiKey) -> None:
    cursor = look(None).cursor
    few = events(key, -60, -500)
    news = look(cursor, 1_000)
    assert ids(news) == few[::-1]
    assert news.missed is None
    many = events(key, *(-100 - number / 10 for number in range(watching.ROWS + 1)))
    news = look(cursor, 1_000)
    assert ids(news) == []
    assert news.missed is not None
    assert (news.missed.range.start, news.missed.more) == (stream.second(cursor.end).start, len(many) + 2)
    assert news.missed.range.end == stream.second(news.cursor.start).start


def test_last_seconds_before_a_pause_are_looked_at_once_more(key: ApiKey) -> None:
    cursor = look(None).cursor
    late = events(key, 3)
    assert ids(look(cursor, 10_000)) == late


def test_rejections_stand_among_the_events_by_time(key: ApiKey) -> None:
    (old,), refused, (new,) = events(key, 0.4), rejection(key, 0.3), events(key, 0.2)
    news = look(None)
    assert [(row.kind, row.id) for one in news.seconds for row in one.rows] == [
        ("event", new),
        ("rejection", refused),
        ("event", old),
    ]
    assert (news.seconds[0].events, news.seconds[0].rejections) == (2, 1)


def test_what_was_noted_as_late_is_told_once_it_is_settled_and_once(key: ApiKey) -> None:
    cursor = look(None).cursor
    moment = NOW - timedelta(hours=2)
    shared = {"road": "spool", "partner": key.partner, "rejections": 1}
    for number in (5, 7):
        LateArrival.objects.create(
            at=NOW, events=number, start=moment, end=moment + timedelta(seconds=number), **shared
        )
    assert look(cursor, 5).late == []
    (one,) = look(cursor, 11).late
    assert (one.road, one.partner, one.events, one.rejections) == ("spool", "Acme", 12, 2)
    assert str(one.range) == "2026-11-26 12:02:10 to 12:02:18 UTC"
    assert look(look(cursor, 11).cursor, 30).late == []
    assert look(cursor, 11, Filter(partner=key.partner_id + 1)).late == []


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "1.2.3.", "x", "1.2.3.-1", "1.2.3." + "1-" * 120 + "1", "1" * 12 + ".1.1.1"]
)
def test_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadFilter, match="open it anew"):
        watching.read(text)


@pytest.mark.parametrize("text", ["0.1.2.3", "99999999999.0.0.5", "0.99999999999.99999999999999999.1-1"])
def test_cursor_of_another_time_is_answered(key: ApiKey, text: str) -> None:
    events(key, 1)
    watching.look(ALL, watching.read(text), NOW)
