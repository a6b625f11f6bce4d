import csv
import io
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from reporting.formats.presentation import Presentation, render
from reporting.reports.question import BadQuestion
from tests.reporting.formats.answers import HOSTILE, ROWS, answer, hostile

BERLIN = Presentation(zone=ZoneInfo("Europe/Berlin"))
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def test_values_are_read_back_exactly() -> None:
    header, first, second, unknown = read(render("csv", answer(), BERLIN))
    assert header == ["partner", "events", "value", "currency", "share", "last_event"]
    assert first == [
        "Acme", "12345", "1234567890123456789.0123", "EUR", "0.3333333333333333", "2026-11-26T15:05:06.789000+01:00",
    ]  # fmt: skip
    assert (Decimal(first[2]), float(first[4]), datetime.fromisoformat(first[5])) == (
        ROWS[0][2], ROWS[0][4], ROWS[0][5],
    )  # fmt: skip
    # In July the zone has another offset; a negative amount is a number, which nobody takes for a formula.
    assert second == ["Beta", "0", "-7", "JPY", "0.0", "2026-07-01T02:00:00+02:00"]
    assert unknown == [""] * 6


def test_lines_end_as_the_standard_has_it() -> None:
    content = render("csv", answer(), BERLIN)
    assert content.count(b"\r\n") == content.count(b"\n") == 4


def test_text_is_no_formula_and_read_back_without_its_quote() -> None:
    _, *rows = read(render("csv", hostile(), BERLIN))
    assert [cell.removeprefix("'") for (cell,) in rows] == list(HOSTILE)
    assert [cell for (cell,) in rows if cell.startswith(FORMULAS)] == []
    # What was sent with a quote has two, so that one of them can be taken away; a text of nothing is not unknown.
    assert ["''quoted"] in rows
    assert rows[-1] == ["'"]


def test_other_table_is_asked_for_by_its_name() -> None:
    assert render("csv", answer(), Presentation(table="reasons")) == b"reason\r\nnone\r\n"
    with pytest.raises(BadQuestion, match="table: made has no table 'x'; it has partners, reasons"):
        render("csv", answer(), Presentation(table="x"))
