"""The table of cases: every id, kind, time and window; and journeys by every model and of every kind of value.

Who wins stands here by hand. How a value is divided by these parts is the oracle's, by hand in `test_credit`.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest

from reporting.attribution.attributing import Reason, attribute
from reporting.attribution.journey import MATCHES, Shown
from reporting.attribution.rules import Model, Rules
from tests.reporting.attribution import oracle
from tests.reporting.attribution.made import DAY, HOUR, NEVER, conversion, shown

pytestmark = pytest.mark.once

TICK = timedelta(microseconds=1)

# --- one touch -------------------------------------------------------------------------------------

WINDOWS = {
    "default": {"click": 30 * DAY, "view": DAY},
    "chosen": {"click": 7 * DAY, "view": 6 * HOUR},
}
# How long before the conversion the touch is, from the window, and what becomes of it.
TIMES: dict[str, tuple[Callable[[timedelta], timedelta], Reason | None]] = {
    "at the same moment": (lambda window: NEVER, None),
    "a tick before": (lambda window: TICK, None),
    "a window before": (lambda window: window, None),
    "a window and a tick before": (lambda window: window + TICK, Reason.OUTSIDE),
    "a tick after": (lambda window: -TICK, Reason.AFTER),
}
SINGLE = list(product(MATCHES, ("click", "view"), WINDOWS, TIMES))


@pytest.mark.parametrize(("match", "kind", "windows", "time"), SINGLE)
def test_single_touch(match: str, kind: str, windows: str, time: str) -> None:
    chosen = WINDOWS[windows]
    before, reason = TIMES[time]
    rules = Rules(Model.LAST, chosen["click"], chosen["view"]) if windows == "chosen" else Rules()
    touch = shown(1, kind, before(chosen[kind]), **{match: "x"})
    found = attribute(conversion(**{match: "x"}), [touch], rules)
    assert found.reason == reason
    assert [(credit.touch.by, MATCHES[credit.touch.match], credit.value_e4) for credit in found.credits] == (
        [] if reason else [(touch, match, 100_0000)]
    )
    assert [lost.by for lost, _ in found.lost] == ([touch] if reason else [])


# --- journeys --------------------------------------------------------------------------------------


class Journey:
    """Events by their numbers, the order of the touches, and the numbers that models first and position choose."""

    def __init__(self, events: list[Shown], order: list[int], first: int, position: dict[int, str]) -> None:
        self.events, self.order, self.first = events, order, first
        self.position = {number: Fraction(part) for number, part in position.items()}

    def shares(self, model: Model) -> list[Fraction]:
        if model is Model.LINEAR:
            return [Fraction(1, len(self.order))] * len(self.order)
        if model is Model.POSITION:
            return [self.position[number] for number in self.order]
        winner = self.order[0] if model is Model.LAST else self.first
        return [Fraction(number == winner) for number in self.order]


def click(number: int, before: timedelta, interaction: str | None = None, received: timedelta | None = None) -> Shown:
    at = shown(number, before=before if received is None else received).received_at
    return shown(number, "click", before, received_at=at, interaction=interaction or f"c{number}")


def view(number: int, before: timedelta) -> Shown:
    return shown(number, "view", before)


JOURNEYS = {
    "one click": Journey([click(1, 2 * DAY)], [1], 1, {1: "1"}),
    "one view": Journey([view(1, 3 * HOUR)], [1], 1, {1: "1"}),
    "a later view": Journey([click(1, 10 * DAY), view(2, HOUR)], [1, 2], 1, {1: "1/2", 2: "1/2"}),
    "two clicks": Journey([click(1, 20 * DAY), click(2, DAY)], [2, 1], 1, {1: "1/2", 2: "1/2"}),
    "three clicks": Journey(
        [click(1, 25 * DAY), click(2, 5 * DAY), click(3, DAY)], [3, 2, 1], 1, {1: "2/5", 2: "1/5", 3: "2/5"}
    ),
    "a click, then two views": Journey(
        [click(1, 10 * DAY), view(2, 20 * HOUR), view(3, HOUR)], [1, 3, 2], 1, {1: "2/5", 2: "2/5", 3: "1/5"}
    ),
    "two clicks, then a view": Journey(
        [click(1, 9 * DAY), click(2, 2 * DAY), view(3, 5 * HOUR)], [2, 1, 3], 1, {1: "2/5", 2: "2/5", 3: "1/5"}
    ),
    "three views": Journey(
        [view(1, 23 * HOUR), view(2, 12 * HOUR), view(3, HOUR / 6)], [3, 2, 1], 1, {1: "2/5", 2: "1/5", 3: "2/5"}
    ),
    "two clicks and two views": Journey(
        [click(1, 29 * DAY), click(2, 3 * DAY), view(3, 22 * HOUR), view(4, 2 * HOUR)],
        [2, 1, 4, 3],
        1,
        {1: "2/5", 2: "2/5", 3: "1/10", 4: "1/10"},
    ),
    "five clicks": Journey(
        [click(number, (6 - number) * DAY) for number in range(1, 6)],
        [5, 4, 3, 2, 1],
        1,
        {1: "2/5", 2: "1/15", 3: "1/15", 4: "1/15", 5: "2/5"},
    ),
    # Of two at one moment the first received comes first, and of two received at one moment the smaller id.
    "two at one moment": Journey(
        [click(1, DAY, received=HOUR), click(2, DAY, received=DAY)], [2, 1], 2, {1: "1/2", 2: "1/2"}
    ),
    "two alike": Journey([click(2, DAY), click(1, DAY)], [1, 2], 1, {1: "1/2", 2: "1/2"}),
    "others are no candidates": Journey(
        [click(1, 31 * DAY), click(2, 10 * DAY), view(3, 25 * HOUR), click(4, -HOUR), view(5, -TICK)],
        [2],
        2,
        {2: "1"},
    ),
    "a click that is seen thrice": Journey(
        [click(1, 8 * DAY, "x"), click(2, 5 * DAY, "x"), click(3, HOUR, "x"), click(4, 6 * DAY)],
        [4, 1],
        1,
        {1: "1/2", 4: "1/2"},
    ),
}
AMOUNTS = [
    ("123.45", "USD"),
    ("0.01", "EUR"),
    ("1000", "JPY"),
    ("10.007", "BHD"),
    ("1.0001", "CLF"),
    ("-99.98", "EUR"),
    ("9.995", "USD"),
    ("99999999999.99", "USD"),
    ("0", "EUR"),
    (None, None),
]


def test_table_has_four_hundred_cases() -> None:
    assert len(SINGLE) + len(JOURNEYS) * len(Model) * len(AMOUNTS) >= 400


@pytest.mark.parametrize(("value", "currency"), AMOUNTS)
@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize("name", JOURNEYS)
def test_journey(name: str, model: Model, value: str | None, currency: str | None) -> None:
    journey = JOURNEYS[name]
    value_e4 = None if value is None else int(Decimal(value) * 10_000)
    buyer = conversion(value_e4=value_e4, currency=currency)
    found = attribute(buyer, journey.events, Rules(model))
    assert found.reason is None
    assert [credit.touch.by.id.int - 1_000 for credit in found.credits] == journey.order
    shares = journey.shares(model)
    assert [Fraction(credit.weight, credit.total) for credit in found.credits] == shares
    assert [credit.share_e4 for credit in found.credits] == [
        int(10_000 * part) for part in oracle.parts(Decimal(1), Decimal("0.0001"), shares)
    ]
    if value is None or currency is None:
        assert {credit.value_e4 for credit in found.credits} == {None}
        return
    coin = Decimal(oracle.COIN[currency])
    expected = oracle.parts(Decimal(value), coin, shares)
    assert [Decimal(credit.value_e4 or 0) / 10_000 for credit in found.credits] == expected
    assert sum(expected) == Decimal(value)
