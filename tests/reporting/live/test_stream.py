"""Which rows a filter selects, in which order, and how the database finds them."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from collect.models import Event
from keys.models import ApiKey
from reporting.live import filters, listing, stream
from reporting.live.filters import BadFilter, Filter
from reporting.live.stream import Place
from reporting.ranges import Range
from runtime.refusals import Code
from tests.e2e.live.watcher import Key
from tests.harness import databases, factories, plans
from tests.reporting.live.stored import NOW, events, rejection, table

pytestmark = pytest.mark.django_db

EVERYTHING = listing.everything_before(NOW + timedelta(seconds=10))


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def pages(chosen: Filter, limit: int, within: Range = EVERYTHING) -> list[Key]:
    """The rows of a list, read to its end in pages, with the place written and read as an address has it."""
    found: list[Key] = []
    place = Place()
    for _ in count():
        page = listing.page(chosen, within, place, limit)
        assert len(page.rows) <= limit
        found += [(row.kind, row.id) for row in page.rows]
        if page.older is None:
            return found
        place = listing.read(listing.write(page.older))
    raise AssertionError


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("of_partner", [False, True])
def test_pages_have_every_row_once_whatever_shares_a_moment(key: ApiKey, limit: int, of_partner: bool) -> None:
    for age in (3, 3, 3, 2.5, 2.5, 1):
        events(key, age, age)
        rejection(key, age)
    found = pages(Filter(partner=key.partner_id if of_partner else None), limit)
    assert set(found) == table()
    assert len(found) == len(set(found))


def test_page_is_newest_first_of_both_kinds(key: ApiKey) -> None:
    (a,), b, (c,), d = events(key, 4), rejection(key, 3), events(key, 2), rejection(key, 1)
    assert pages(Filter(), 2) == [("rejection", d), ("event", c), ("rejection", b), ("event", a)]


def test_filter_selects_by_each_of_its_parts(key: ApiKey) -> None:
    test_key, _ = factories.key(factories.partner("Beta"), is_test=True)
    (plain,), (other,) = events(key, 1, event_name="a", tag_id="x"), events(test_key, 2, event_name="b", tag_id="y")
    invalid, slow = rejection(key, 3), rejection(test_key, 4, Code.TIMEOUT)
    selected: list[tuple[dict[str, Any], set[str]]] = [
        ({"partner": str(key.partner_id)}, {plain, invalid}),
        ({"key": str(test_key.pk)}, {other, slow}),
        ({"name": "a"}, {plain}),
        ({"tag": "y"}, {other}),
        ({"name": "a", "tag": "y"}, set()),
        ({"outcome": "stored"}, {plain, other}),
        ({"kind": "test"}, {other, slow}),
        ({"kind": "live", "outcome": "stored"}, {plain}),
        ({"kind": "live", "outcome": "timeout"}, set()),
        ({"outcome": "rejected"}, {invalid, slow}),
        ({"outcome": "timeout"}, {slow}),
        ({"outcome": "invalid_event", "partner": str(test_key.partner_id)}, set()),
    ]
    for query, expected in selected:
        chosen = filters.of_query(query)
        assert {id for _, id in pages(chosen, 2)} == expected, query
        assert sum(stream.count(chosen, EVERYTHING)[:2]) == len(expected), query
        assert filters.of_query(chosen.query) == chosen


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "lost"},
        {"kind": "x"},
        {"partner": "x"},
        {"partner": "-1"},
        {"key": "9"},
        {"partner": "9" * 30},
        {"key": "²"},
    ],
)
def test_filter_that_is_none_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadFilter, match=r"outcome|kind|partner|key"):
        filters.of_query(query)


@pytest.mark.parametrize("text", ["x", "e1r", "e1.2r", "er1", f"e{'9' * 18}.{'0' * 32}r", "er1.x"])
def test_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadFilter, match="no place"):
        listing.read(text)


def test_rare_rows_are_looked_for_in_a_bounded_part_and_the_page_says_how_far(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SCANNED", 4)
    (rare,) = events(key, 20, event_name="rare")
    events(key, *range(10))
    page = listing.page(Filter(name="rare"), EVERYTHING, Place(), 5)
    assert page.rows == []
    assert page.looked_back_to == NOW - timedelta(seconds=3)
    assert pages(Filter(name="rare"), 5) == [("event", rare)]
    assert pages(Filter(partner=key.partner_id, name="rare"), 5) == [("event", rare)]


def test_counts_end_at_their_bound(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    events(key, *[1.0] * 5)
    monkeypatch.setattr(stream, "COUNTED", 3)
    second = int((NOW - timedelta(seconds=1)).timestamp())
    assert stream.counts(Filter(), [second, second - 1]) == {second: (3, 0), second - 1: (0, 0)}


def test_event_of_an_import_stands_where_its_id_has_it_and_with_a_partner_where_it_arrived(key: ApiKey) -> None:
    (id,) = events(key, 0)
    Event.objects.filter(pk=id).update(received_at=NOW + timedelta(seconds=5))
    second = stream.second(int(NOW.timestamp()))
    assert pages(Filter(), 5, second) == [("event", id)]
    assert pages(Filter(partner=key.partner_id), 5, second) == []
    assert pages(Filter(partner=key.partner_id), 5, stream.second(int(NOW.timestamp()) + 5)) == [("event", id)]


@pytest.mark.parametrize("chosen", ["all", "partner", "name", "name of partner", "key"])
def test_queries_read_a_bounded_part_of_a_large_table(
    key: ApiKey, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SCANNED", 1_000)
    plans.fill(key, 20_000, NOW)
    wanted = {
        "all": Filter(),
        "partner": Filter(partner=key.partner_id),
        "name": Filter(name="rare"),
        "name of partner": Filter(partner=key.partner_id, name="rare"),
        "key": Filter(partner=key.partner_id, key=key.pk),
    }[chosen]
    newest = listing.page(wanted, EVERYTHING, Place(), 50)
    with plans.captured() as queries:
        listing.page(wanted, EVERYTHING, newest.older or Place(), 50)
        stream.counts(wanted, range(int(NOW.timestamp()) - 2, int(NOW.timestamp())))
        stream.rows_of(wanted, range(int(NOW.timestamp()), int(NOW.timestamp()) + 5))
    for plan in plans.assert_bounded(queries):
        if "collect_event" in plan.query.sql:
            assert ("event_arrival" if wanted.partner else "_pkey") in plan.text or databases.is_sqlite()


def test_count_of_what_no_index_knows_looks_at_a_bounded_number_of_rows(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SCANNED", 5)
    events(key, *range(10), event_name="rare")
    assert stream.count(filters.of_query({"name": "rare"}), EVERYTHING) == (5, 0, True)
    assert stream.count(filters.of_query({}), EVERYTHING) == (10, 0, False)
