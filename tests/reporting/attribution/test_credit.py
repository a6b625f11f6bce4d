"""A value is divided exactly: by hand for the cases that matter, and as a property for all."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.attribution.credit import divided, unit_of
from reporting.views.currencies import DECIMALS

weights = st.lists(st.integers(0, 1_000), min_size=1, max_size=12).filter(any)


@pytest.mark.parametrize(
    ("amount", "weights", "unit", "parts"),
    [
        (100, [1], 1, [100]),
        (100, [1, 1], 1, [50, 50]),
        # A coin that is left goes to the earlier of equals.
        (101, [1, 1], 1, [51, 50]),
        (100, [1, 1, 1], 1, [34, 33, 33]),
        (200, [1, 1, 1], 1, [67, 67, 66]),
        (1, [1, 1, 1], 1, [1, 0, 0]),
        (0, [1, 1, 1], 1, [0, 0, 0]),
        # 40, 20, 40 of 99: 39.6, 19.8, 39.6 lose .6, .8, .6.
        (99, [2, 1, 2], 1, [40, 20, 39]),
        # Of 7: 2.8, 1.4, 2.8.
        (7, [2, 1, 2], 1, [3, 1, 3]),
        # In whole cents of ten-thousandths: 3.34, 3.33, 3.33.
        (100_000, [1, 1, 1], 100, [33_400, 33_300, 33_300]),
        # In whole yen: 4, 3, 3.
        (100_000, [1, 1, 1], 10_000, [40_000, 30_000, 30_000]),
        (-100, [1, 1, 1], 1, [-34, -33, -33]),
        (-101, [1, 1], 1, [-51, -50]),
        (100, [0, 1, 0], 1, [0, 100, 0]),
        (101, [0, 1, 1], 1, [0, 51, 50]),
    ],
)
def test_parts_are_those_by_hand(amount: int, weights: list[int], unit: int, parts: list[int]) -> None:
    assert divided(amount, weights, unit) == parts


@pytest.mark.parametrize(
    ("value", "currency", "unit"),
    [
        ("10", "JPY", "1"),
        ("10.00", "EUR", "0.01"),
        ("10", "BHD", "0.001"),
        ("10", "CLF", "0.0001"),
        ("0", "USD", "0.01"),
        ("-3", "USD", "0.01"),
        # Finer than the coin: the last digit that the value has.
        ("10.5", "JPY", "0.1"),
        ("9.995", "USD", "0.001"),
        ("-9.9950", "USD", "0.001"),
        ("0.0001", "USD", "0.0001"),
        ("1.2345", "BHD", "0.0001"),
    ],
)
def test_unit_is_the_smallest_coin_or_the_values_last_digit(value: str, currency: str, unit: str) -> None:
    assert unit_of(int(Decimal(value) * 10_000), currency) == int(Decimal(unit) * 10_000)


@given(st.integers(-(10**15), 10**15), weights, st.sampled_from(sorted(DECIMALS)))
def test_parts_sum_to_the_amount_and_are_less_than_a_unit_from_their_share(
    amount: int, weights: list[int], currency: str
) -> None:
    unit = unit_of(amount, currency)
    parts = divided(amount, weights, unit)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert part % unit == 0
        assert abs(part - Fraction(amount * weight, sum(weights))) < unit
        assert part * amount >= 0
        assert weight or not part
