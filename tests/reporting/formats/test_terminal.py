from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from reporting.formats.columns import width_of
from reporting.formats.presentation import Presentation, render
from reporting.reports.answer import Answer, Column, Kind, Table
from tests.reporting.formats.answers import answer, hostile

BERLIN = ZoneInfo("Europe/Berlin")


def lines(found: Answer, width: int | None = None) -> list[str]:
    return render("table", found, Presentation(zone=BERLIN, width=width)).decode().splitlines()


def test_what_it_depends_on_comes_first_and_columns_stand_below_each_other() -> None:
    assert lines(answer()) == [
        "Made up",
        "  time zone  Europe/Berlin",
        "",
        "By partner",
        "partner  events                           value  currency   share  last event",
        "-------  ------  ------------------------------  --------  ------  -------------------",
        "Acme     12,345  1,234,567,890,123,456,789.0123  EUR       33.3 %  2026-11-26 15:05:06",
        "Beta          0                              -7  JPY          0 %  2026-07-01 02:00:00",
        "-             -                               -  -              -  -",
        "Beta's sender was asleep.",
        "",
        "  partner     Who sent the events.",
        "  events      How many there are.",
        "  value       What they are worth.",
        "  currency    In which currency.",
        "  share       Their part of all.",
        "  last event  When the last one came.",
        "",
        "Reasons",
        "reason",
        "------",
        "none",
        "",
        "One event is left out.",
    ]


@pytest.mark.parametrize("width", [30, 50, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_broken(width: int) -> None:
    text = "a_word_without_an_end " * 6 + "株式会社メルカリ" * 6
    columns = (Column("text", Kind.TEXT, text), *(Column(f"number_{n}", Kind.COUNT, "") for n in range(9)))
    found = Answer(
        "x", text, {"name": text}, (Table("x", "X", columns, [(text, *range(100_000, 100_009))], [text]),), [text]
    )
    shown = lines(found, width)
    assert max(map(width_of, shown[1:])) <= width
    assert {f"{n:,}" for n in range(100_000, 100_009)} <= {word for line in shown for word in line.split()}
    # Each part of the table begins with the column that names the row.
    assert len([line for line in shown if line.startswith("text ")]) >= (2 if width < 80 else 1)


def test_terminal_obeys_no_text() -> None:
    found = hostile()
    shown = render("table", found, Presentation()).decode()
    assert {character for character in shown if not character.isprintable()} == {"\n"}
    assert "\\x1b[31mred" in shown
    assert "invoice\\u202egpj.exe" in shown
    assert '""' in shown.split()


def test_headings_are_marked_where_that_is_wanted() -> None:
    marked = render("table", answer(), Presentation(zone=UTC, heading=lambda text: f"*{text}*")).decode()
    assert [line for line in marked.splitlines() if line.startswith("*")] == ["*Made up*", "*By partner*", "*Reasons*"]
    assert "\x1b" not in render("table", answer(), Presentation()).decode()


def test_table_without_rows_says_so() -> None:
    empty = Table("x", "Nothing", (Column("a", Kind.TEXT, "What."),), [])
    assert lines(answer(tables=(empty,)))[3:5] == ["Nothing", "no rows"]


def test_amounts_have_the_decimals_of_their_currency_or_of_their_column() -> None:
    money = Column("value", Kind.AMOUNT, "")
    by_currency = Table("a", "A", (money, Column("currency", Kind.TEXT, "")), [])
    rows = [("12", "EUR"), ("12", "JPY"), ("12.5", "KWD"), ("12.34567", "EUR"), ("3", "none")]
    found = answer(tables=(Table("a", "A", by_currency.columns, [(Decimal(value), code) for value, code in rows]),))
    assert [line.split()[0] for line in lines(found)[6:11]] == ["12.00", "12", "12.500", "12.34567", "3.00000"]
    whole = answer(tables=(Table("a", "A", (money,), [(Decimal("1E+3"),), (Decimal("-2"),)]),))
    assert [line.strip() for line in lines(whole)[6:8]] == ["1,000", "-2"]
    halves = answer(tables=(Table("a", "A", (money,), [(Decimal("1.5"),), (Decimal("2.000"),)]),))
    assert [line.strip() for line in lines(halves)[6:8]] == ["1.50", "2.00"]
