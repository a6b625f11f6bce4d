"""The reports `attribution` and `conversions`: what stands in each table, by hand."""

from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from reporting.attribution import repeats
from reporting.attribution.attributing import Reason
from reporting.attribution.conversions import conversions
from reporting.attribution.report import attribution
from reporting.ranges import Range
from reporting.reports.answer import Answer
from reporting.reports.question import BadQuestion, Question
from tests.harness import factories
from tests.reporting.views.events import NOON
from tests.reporting.views.events import stored as event

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OVER = Range(NOON - DAY, NOON + DAY)


def order(event_id: str, value: Any = None, currency: str | None = "EUR", **fields: Any) -> str:
    params = {"value": value, "currency": currency} if value is not None else {}
    return event(event_id=event_id, params=params, **fields)


def touch(before: timedelta, **fields: Any) -> str:
    return event(event_name="contents_viewed", timestamp=NOON - before, **fields)


def rows(answer: Answer, name: str) -> list[list[Any]]:
    (table,) = (table for table in answer.tables if table.name == name)
    assert all(len(row) == len(table.columns) for row in table.rows)
    return [list(row) for row in table.rows]


def asked(question: Any = None, **options: str) -> Answer:
    return attribution(question or Question(OVER, options=options))


@pytest.fixture
def month() -> None:
    """Two clicks and a view of one session, which orders in two currencies, and orders that lead nowhere."""
    touch(10 * DAY, click_id="k1", session_id="s", tag_id="a")
    touch(2 * DAY, click_id="k2", session_id="s", tag_id="b")
    touch(2 * HOUR, impression_id="i1", session_id="s", tag_id="b")
    order("o1", 100, session_id="s")
    order("o2", "0.50", session_id="s")
    order("o3", 10, "JPY", session_id="s")
    order("o4", 7, session_id="nobody")
    order("o5", 3, None, session_id="s")
    order("o6", session_id="old")
    touch(40 * DAY, click_id="k9", session_id="old")
    event(event_name="lead_created", session_id="s")


@pytest.mark.usefixtures("month")
def test_credit_is_by_source_and_currency() -> None:
    assert rows(asked(by="interaction"), "credit") == [
        ["k2", None, 3, None, 3],
        ["k2", "EUR", 1, 100, 1],
        ["k2", "JPY", 1, 10, 1],
    ]
    third = Decimal("0.3333")
    linear = {(one[0], one[1], one[2]): one[3:] for one in rows(asked(by="tag,kind", model="linear"), "credit")}
    # The latest click is the first of three and gets the coin that is left: of 100.00 and of 10 yen.
    assert linear["b", "click", "EUR"] == [Decimal("0.3334"), Decimal("33.34"), 1]
    assert linear["a", "click", "EUR"] == [third, Decimal("33.33"), 1]
    assert linear["b", "view", "EUR"] == [third, Decimal("33.33"), 1]
    assert linear["b", "click", "JPY"] == [Decimal("0.3334"), 4, 1]
    assert linear["a", "click", "JPY"] == [third, 3, 1]
    assert linear["b", "click", None] == [3 * Decimal("0.3334"), None, 3]


@pytest.mark.usefixtures("month")
def test_by_default_it_is_by_conversion_and_kind() -> None:
    # The most conversions first; of equally many by name.
    assert rows(asked(), "credit") == [
        ["order_created", "click", None, 2, None, 2],
        ["lead_created", "click", None, 1, None, 1],
        ["order_created", "click", "EUR", 1, 100, 1],
        ["order_created", "click", "JPY", 1, 10, 1],
    ]


@pytest.mark.usefixtures("month")
def test_nothing_is_left_out() -> None:
    answer = asked()
    assert rows(answer, "total") == [["EUR", 1, 100, 1, 7], ["JPY", 1, 10, 0, 0], [None, 3, None, 1, None]]
    assert rows(answer, "unattributed") == [
        [Reason.NO_TOUCH, "EUR", 1, 7, None],
        [Reason.OUTSIDE, None, 1, None, "40 d"],
    ]
    assert rows(answer, "values") == [
        ["a value", "EUR", 2],
        ["a value", "JPY", 1],
        ["no_currency", None, 1],
        ["value_not_a_number", None, 1],
        ["none", None, 2],
    ]


@pytest.mark.usefixtures("month")
def test_windows_can_be_chosen() -> None:
    answer = asked(**{"click-window": "60d", "by": "interaction", "model": "first"})
    assert [row[:3] for row in rows(answer, "credit") if row[0] == "k9"] == [["k9", None, 1]]
    answer = asked(**{"click-window": "24h", "view-window": "1h"})
    assert rows(answer, "credit") == []
    assert {row[0]: row[4] for row in rows(answer, "unattributed") if row[4]} == {Reason.OUTSIDE: "2 h"}


def test_touch_date_books_in_the_range_of_the_touch() -> None:
    order("before", 1, session_id="s1")
    touch(2 * DAY, click_id="k1", session_id="s1")
    order("within", 2, session_id="s2")
    touch(HOUR, click_id="k2", session_id="s2")
    order("after", 4, timestamp=NOON + 20 * DAY, session_id="s3")
    touch(2 * HOUR, click_id="k3", session_id="s3")
    order("later", 8, timestamp=NOON + 40 * DAY, session_id="s3")
    order("nothing", 16)
    order("nothing later", 32, timestamp=NOON + 2 * DAY)
    answer = asked(by="interaction", booked="touch")
    assert rows(answer, "credit") == [["k2", "EUR", 1, 2, 1], ["k3", "EUR", 1, 4, 1]]
    assert rows(answer, "total") == [["EUR", 2, 6, 1, 16]]
    assert rows(answer, "moved") == [
        ["conversion after the range: in the credit", "EUR", 1, 4],
        ["touch before the range: not in the credit", "EUR", 1, 1],
    ]
    assert answer.stated["booked by"] == "touch date"
    assert answer.stated["conversions until before"].startswith("2026-12-02 12:00")
    assert rows(asked(by="interaction"), "credit") == [["k1", "EUR", 1, 1, 1], ["k2", "EUR", 1, 2, 1]]


def test_days_are_those_of_the_time_zone_and_in_their_order() -> None:
    order("o1", 1, timestamp=NOON + 11 * HOUR, click_id="k1")
    order("o2", 2, timestamp=NOON - HOUR, click_id="k2")
    order("o3", 4, timestamp=NOON, click_id="k3")
    ahead = Question(OVER, timezone(2 * HOUR), options={"by": "day"})
    assert rows(asked(ahead), "credit") == [["2026-11-01", "EUR", 2, 6, 2], ["2026-11-02", "EUR", 1, 1, 1]]
    assert rows(asked(by="day"), "credit") == [["2026-11-01", "EUR", 3, 7, 3]]


def test_partner_can_be_chosen() -> None:
    order("o1", 1, click_id="k1")
    order("o1", 2, click_id="k1", partner="globex")
    question = Question(OVER, partner=factories.partner("globex"), options={"by": "partner"})
    for answer in (asked(question), asked(by="partner")):
        assert ["globex", "EUR", 1, 2, 1] in rows(answer, "credit")
    assert len(rows(asked(question), "credit")) == len(rows(asked(question), "repeats")) == 1


def test_everything_that_it_depends_on_is_stated() -> None:
    stated = asked(model="position", **{"view-window": "36h"}).stated
    assert stated["model"].startswith("position: 40 %")
    assert (stated["click window"], stated["view window"], stated["booked by"]) == (
        "30 d",
        "1 d 12 h",
        "conversion date",
    )
    assert stated["credit by"] == "conversion, kind"
    assert stated["test events"] == "not counted"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "best"}, "model: one of last, first, linear, position"),
        ({"click-window": "a month"}, "click-window: 'a month' is not a duration"),
        ({"view-window": "-1d"}, "view-window: "),
        ({"booked": "soon"}, "booked: one of conversion, touch"),
        ({"by": "tag,colour"}, "by: some of .*; not 'colour'"),
        ({"windows": "1d"}, "windows: attribution has no such option"),
    ],
)
def test_bad_options_are_named(options: dict[str, str], said: str) -> None:
    with pytest.raises(BadQuestion, match=said):
        asked(**options)


# --- conversions, and reports of one twice ---


def test_conversions_are_by_name_and_currency() -> None:
    order("o1", 10)
    order("o2", "ten")
    order("o3", Decimal("0.01").__float__())
    order("o4", 5, "JPY")
    order("o5", 5, "XXX")
    order("o6")
    event(event_name="lead_created", params={"value": -1, "currency": "eur"})
    event(event_name="items_added", params={"value": 99, "currency": "EUR"})
    answer = conversions(Question(OVER))
    found = sorted(rows(answer, "conversions"), key=str)
    assert found == sorted(
        [
            ["lead_created", "EUR", None, 1, -1, -1],
            ["order_created", "EUR", None, 2, Decimal("10.01"), Decimal("5.005")],
            ["order_created", "JPY", None, 1, 5, 5],
            ["order_created", None, "unknown_currency", 1, None, None],
            ["order_created", None, "value_not_a_number", 1, None, None],
            ["order_created", None, None, 1, None, None],
        ],
        key=str,
    )
    with pytest.raises(BadQuestion, match="model: conversions has no options"):
        conversions(Question(OVER, options={"model": "last"}))


@pytest.fixture
def twice() -> None:
    """An order that three tags report, one with another value; one that two report alike; and others."""
    order("o1", 10, tag_id="browser", received_at=NOON, click_id="k")
    order("o1", 10, tag_id="server", received_at=NOON + HOUR, click_id="k")
    order("o1", 12, tag_id="late", channel="import", received_at=NOON + 2 * HOUR, click_id="k")
    order("o2", 5, tag_id="browser", received_at=NOON)
    order("o2", 5, tag_id="server", received_at=NOON + HOUR)
    order("o1", 11, partner="globex", received_at=NOON)
    order("o3", 1, received_at=NOON)


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize("report", [attribution, conversions])
def test_reports_of_one_conversion_count_once_and_pairs_that_differ_are_shown(report: Any) -> None:
    answer = report(Question(OVER))
    assert rows(answer, "repeats") == [["order_created", 7, 4, 3, 3 / 7, 1]]
    assert rows(answer, "differing") == [
        ["acme", "order_created", "o1", "browser", "server", 10, "EUR", None, "late", "import", 12, "EUR", None]
    ]


@pytest.mark.usefixtures("twice")
def test_of_many_pairs_that_differ_the_first_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    order("o0", 1, tag_id="a", received_at=NOON - HOUR)
    order("o0", tag_id="b", received_at=NOON)
    order("o0", 1, "USD", tag_id="c", received_at=NOON + HOUR)
    assert [row[8] for row in rows(conversions(Question(OVER)), "differing")] == ["b", "c", "late"]
    monkeypatch.setattr(repeats, "MOST_LISTED", 1)
    (table,) = (table for table in conversions(Question(OVER)).tables if table.name == "differing")
    assert [row[8] for row in table.rows] == ["b", "c"]
    assert table.notes == ["1 more pairs differ: of the first 1 conversions all are here."]


@pytest.mark.usefixtures("twice")
def test_sums_are_of_the_report_that_came_first() -> None:
    assert rows(conversions(Question(OVER)), "conversions") == [["order_created", "EUR", None, 4, 27, Decimal("6.75")]]
