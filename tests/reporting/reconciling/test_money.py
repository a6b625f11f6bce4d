"""Amounts and currencies of a partner's file."""

import pytest

from reporting.reconciling import money


@pytest.mark.parametrize(
    ("text", "ten_thousandths"),
    [
        ("58", 580_000),
        ("58.00", 580_000),
        (" 58.5 ", 585_000),
        ("-12.34", -123_400),
        ("0", 0),
        ("0.0001", 1),
        ("99999999999.9999", 999_999_999_999_999),
        # As the views round: half away from zero.
        ("0.00005", 1),
        ("-0.00005", -1),
        ("19.990000000000002", 199_900),
        ("58.099998474121094", 581_000),
    ],
)
def test_plain_decimal_notation_is_exact(text: str, ten_thousandths: int) -> None:
    assert money.amount_of(text) == ten_thousandths


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("58,00", "its comma seems to be a decimal comma; write 58.00"),
        ("-1.234,5", "its comma seems to be a decimal comma; write -1234.5"),
        ("1 234,50", "its comma seems to be a decimal comma; write 1234.50"),
        ("1,234.50", "its commas seem to separate thousands; write 1234.50"),
        ("1,234,567", "its commas seem to separate thousands; write 1234567"),
        ("1,234", "its comma separates thousands or decimals; write 1234 or 1.234"),
        ("5.8e1", "it has an exponent; write all digits"),
        ("€58", "write the number alone, and the currency in a column of its own"),
        ("58.00 EUR", "write the number alone, and the currency in a column of its own"),
        ("+58", "write it as 1234.50"),
        (".5", "write it as 1234.50"),
        ("5.", "write it as 1234.50"),
        ("NaN", "write it as 1234.50"),
        ("٥٨", "write it as 1234.50"),
        ("9" * 70, "write it as 1234.50"),
    ],
)
def test_other_notations_are_refused_with_the_likely_cause(text: str, cause: str) -> None:
    with pytest.raises(ValueError, match="cannot be read") as refused:
        money.amount_of(text)
    assert cause in str(refused.value)


def test_amount_that_reports_do_not_count_is_out_of_range() -> None:
    with pytest.raises(ValueError, match="out of range: reports count amounts below 100,000,000,000"):
        money.amount_of("100000000000")


def test_currency_is_a_code_of_iso_4217_in_any_case() -> None:
    assert [money.currency_of(text) for text in ("EUR", "usd", " jPy ")] == ["EUR", "USD", "JPY"]
    for text, said in (
        ("XXX", "currency 'XXX' is none of ISO 4217$"),
        ("€", "write its code, as EUR"),
        ("Euro", "EUR"),
    ):
        with pytest.raises(ValueError, match=said):
            money.currency_of(text)


@pytest.mark.parametrize(("currency", "ten_thousandths"), [("EUR", 300), ("JPY", 30_000), ("KWD", 30), ("CLF", 3)])
def test_tolerance_is_in_the_smallest_units_of_the_currency(currency: str, ten_thousandths: int) -> None:
    assert money.smallest(3, currency) == ten_thousandths


@pytest.mark.parametrize(("amount", "text"), [(580_000, "58"), (581_000, "58.1"), (-1, "-0.0001"), (1_000_000, "100")])
def test_amount_is_written_without_an_exponent(amount: int, text: str) -> None:
    assert money.written(amount) == text
    assert money.amount_of(text) == amount
