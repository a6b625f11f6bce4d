"""Divides a value among touches so that the parts sum to it exactly: by largest remainder, in whole numbers only."""

from collections.abc import Sequence

from reporting.views.columns import SCALE
from reporting.views.currencies import DECIMALS

# One conversion, in the ten-thousandths in which its parts are counted, so that they sum to 1.
WHOLE = SCALE


def divided(amount: int, weights: Sequence[int], unit: int = 1) -> list[int]:
    """Return the parts of an amount, a multiple of `unit`, each a multiple of it too; they sum to the amount.

    Each part is rounded towards zero, and what is left goes, unit by unit, to those that lost most by it; of equals,
    to the earlier. A weight of 0 gets nothing. The weights sum to more than 0.
    """
    units, total = abs(amount) // unit, sum(weights)
    parts = [units * weight // total for weight in weights]
    # `sorted` keeps the order of equals.
    by_loss = sorted(range(len(weights)), key=lambda place: -(units * weights[place] % total))
    for place in by_loss[: units - sum(parts)]:
        parts[place] += 1
    sign = -unit if amount < 0 else unit
    return [sign * part for part in parts]


def unit_of(value_e4: int, currency: str) -> int:
    """Return the unit in which a value is divided, in ten-thousandths of the currency.

    It is the currency's smallest coin or, where the value is finer than that, the value's own last digit.
    """
    unit: int = SCALE // 10 ** DECIMALS[currency]
    while value_e4 % unit:
        unit //= 10
    return unit
