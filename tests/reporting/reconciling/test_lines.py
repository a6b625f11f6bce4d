"""Which column means what, and what is wrong with a line."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collect.backfills.formats.records import unreadable_row
from reporting.reconciling.classes import Money
from reporting.reconciling.lines import BadLine, Line, Reader
from reporting.reconciling.wanted import Match, Role
from reporting.reports.question import BadQuestion
from tests.reporting.reconciling import lists

pytestmark = pytest.mark.once


def read(*lines: Any, **fields: Any) -> tuple[list[Line], Reader]:
    reader = Reader(lists.wanted(**fields))
    return [reader(record) for record in lists.records(lines)], reader


def fault(line: Any, **fields: Any) -> str:
    with pytest.raises(BadLine) as bad:
        read(line, **fields)
    return str(bad.value)


def seconds(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type,misc]  # year, month, …


@pytest.mark.parametrize(
    ("column", "match"),
    [
        ("event_id", Match.EVENT_ID),
        ("Event ID", Match.EVENT_ID),
        ("eventId", Match.EVENT_ID),
        ("ORDER-ID", Match.ORDER_ID),
        ("orderId", Match.ORDER_ID),
        ("order_number", Match.ORDER_ID),
        ("Transaction ID", Match.ORDER_ID),
        ("params.order_id", Match.ORDER_ID),
    ],
)
def test_column_of_ids_is_recognised(column: str, match: Match) -> None:
    (line,), reader = read({"note": "x", column: "A 1"})
    assert line.id == "A 1"
    assert reader.columns is not None
    assert reader.columns.match is match


def test_id_of_an_event_comes_before_that_of_an_order_and_the_other_is_kept() -> None:
    (line,), _ = read({"order_id": "O-1", "event_id": "E-1", "tag_id": "t"})
    assert (line.id, line.other, line.tag) == ("E-1", "O-1", "t")
    (line,), _ = read({"order_id": "O-1", "event_id": "E-1"}, id_column="Order ID")
    assert (line.id, line.other) == ("O-1", "E-1")


def test_column_named_id_has_to_be_explained() -> None:
    with pytest.raises(BadQuestion, match="'id' may have ids of events or of orders: say --match"):
        read({"id": "1"})
    assert read({"id": "1"}, match=Match.ORDER_ID)[0][0].id == "1"


def test_columns_that_are_not_there_are_said_with_those_that_are() -> None:
    with pytest.raises(BadQuestion, match="name it with --id: there are number, amount"):
        read({"number": 1, "amount": 2})
    with pytest.raises(BadQuestion, match="--id: there is no column 'nr': there are number"):
        read({"number": 1}, id_column="nr")
    with pytest.raises(BadQuestion, match="amount and value may both be the amount: say which with --amount"):
        read({"event_id": "1", "amount": 2, "value": 3, "currency": "EUR"})


@pytest.mark.parametrize("id", [1001, "1001"])
def test_id_is_a_text_or_a_whole_number(id: Any) -> None:
    assert read({"order_id": id})[0][0].id == "1001"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ({"order_id": None}, "no order_id"),
        ({"order_id": "  "}, "no order_id"),
        ({"order_id": 10.5}, "order_id: an id is a text or a whole number, not 10.5"),
        ({"order_id": True}, "order_id: an id is a text or a whole number, not True"),
        ({"order_id": "x" * 256}, "order_id has more than 255 characters"),
        ({"order_id": "1", "amount": "58,00", "currency": "EUR"}, "amount '58,00' cannot be read: its comma"),
        ({"order_id": "1", "amount": [], "currency": "EUR"}, "amount: [] is no number"),
        ({"order_id": "1", "amount": 58}, "no currency: name its column with --currency, or say --currency-code"),
        ({"order_id": "1", "amount": 58, "currency": ""}, "no currency"),
        ({"order_id": "1", "amount": 58, "currency": "EURO"}, "currency 'EURO' is none of ISO 4217"),
        ({"order_id": "1", "time": "26.11.2026"}, "time '26.11.2026' must be Unix seconds or a moment such as"),
        ({"order_id": "1", "time": "20261126"}, "time 20261126 may be a day: write 2026-11-26"),
        ({"order_id": "1", "time": 1e300}, "time '1e+300'"),
        ({"order_id": "1", "event_name": {}}, "event_name: {} is no text"),
        (b'["order_id"]', "it is no JSON object"),
        (b'{"order_id": ', "it is no JSON"),
        (b'{"order_id": "\xff"}', "not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: Any, cause: str) -> None:
    reader = Reader(lists.wanted())
    (good, bad) = lists.records([{"order_id": "0"}, line])
    reader(good)
    with pytest.raises(BadLine) as said:
        reader(bad)
    assert cause in str(said.value)


def test_row_that_the_format_cannot_read_is_a_fault_of_its_line() -> None:
    with pytest.raises(BadLine, match="The row cannot be read: 3 cells"):
        Reader(lists.wanted())(unreadable_row(7, "3 cells, where the first line names 2 columns"))


def test_money_is_exact_in_whatever_form_it_stands() -> None:
    lines, _ = read(
        b'{"order_id": "1", "amount": 58.10, "currency": "eur"}',
        {"order_id": "2", "amount": "58.10", "currency": "EUR"},
        {"order_id": "3", "params": {"value": 58.1, "currency": "EUR"}},
        {"order_id": "4", "currency": "EUR"},
    )
    assert [line.money for line in lines] == [Money(581_000, "EUR")] * 3 + [Money()]


def test_fixed_currency_is_that_of_all_amounts() -> None:
    (line,), _ = read({"order_id": "1", "amount": 5}, currency_code="EUR")
    assert line.money == Money(50_000, "EUR")
    said = fault({"order_id": "1", "amount": 5, "currency": "USD"}, currency_code="EUR")
    assert said == "the currency is USD, and --currency-code says EUR"


@pytest.mark.parametrize(
    ("time", "at"),
    [
        (1_764_158_400, seconds(2025, 11, 26, 12)),
        ("1764158400", seconds(2025, 11, 26, 12)),
        (1_764_158_400_000, seconds(2025, 11, 26, 12)),
        ("2026-11-26T12:00:00Z", seconds(2026, 11, 26, 12)),
        ("2026-11-26 12:00:00.25+01:00", seconds(2026, 11, 26, 11) + 250_000),
        # Without a zone: midnight in Berlin.
        ("2026-11-26", seconds(2026, 11, 25, 23)),
        ("", None),
    ],
)
def test_time_is_read_in_the_zone_that_was_asked_for(time: Any, at: int | None) -> None:
    (line,), _ = read({"order_id": "1", "created at": time}, zone=ZoneInfo("Europe/Berlin"))
    assert line.at == at


def test_column_is_named_or_left_out() -> None:
    given = {"order_id": "1", "Total (gross)": 5, "amount": 7, "currency": "EUR", "time": "yesterday"}
    (line,), reader = read(given, columns={Role.AMOUNT: "Total (gross)", Role.TIME: "-"})
    assert (line.money.amount, line.at) == (50_000, None)
    assert reader.columns is not None
    reader.columns.check(reader.seen.__contains__)


def test_named_column_that_no_line_has_is_an_error() -> None:
    _, reader = read({"order_id": "1"}, columns={Role.AMOUNT: "total"})
    assert reader.columns is not None
    with pytest.raises(BadQuestion, match="--amount: no line has anything in a column 'total'"):
        reader.columns.check(reader.seen.__contains__)


def test_name_of_the_event_is_that_of_the_line_unless_one_was_said() -> None:
    given = [{"order_id": "1", "event_name": "lead_created"}, {"order_id": "2"}]
    assert [line.name for line in read(*given)[0]] == ["lead_created", "order_created"]
    assert [line.name for line in read(*given, event_name="sale")[0]] == ["sale", "sale"]
