"""Attributes a conversion: from the events that may show its touches to the credit of each, or the reason of none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reporting.attribution import credit, rules
from reporting.attribution.journey import Conversion, Shown, Touch, touches_of
from reporting.attribution.rules import Rules, Verdict

ORGANIC = "organic"


class Reason(StrEnum):
    """Why a conversion is attributed to no touch. Where several fit, the first of these is said."""

    OUTSIDE = "only touches outside the window"
    AFTER = "only touches after the conversion"
    ORGANIC = "organic, as its sender says, and no touch with its ids"
    NO_TOUCH = "no touch with its ids"
    SHARED = "only ids that too many touches have"
    NO_IDS = "no ids to match by"


@dataclass(frozen=True, slots=True)
class Credit:
    """What a candidate gets of the conversion: `weight` of `total` parts."""

    touch: Touch
    weight: int
    total: int
    # Of the conversion, in ten-thousandths.
    share_e4: int
    # Of its value, in ten-thousandths of the currency; None if it has no value.
    value_e4: int | None


@dataclass(frozen=True, slots=True)
class Attribution:
    """What became of a conversion. It has credits, all candidates in their order, or a reason, never both."""

    conversion: Conversion
    credits: Sequence[Credit]
    # Touches that are no candidates, the nearest to the conversion first.
    lost: Sequence[tuple[Touch, Verdict]]
    reason: Reason | None


def attribute(conversion: Conversion, events: Iterable[Shown], by: Rules) -> Attribution:
    """Return what the conversion is attributed to. Events that show no touch of it may be among `events`."""
    candidates, lost = [], []
    for touch in touches_of(conversion, events):
        verdict = by.verdict(touch)
        if verdict is Verdict.CANDIDATE:
            candidates.append(touch)
        else:
            lost.append((touch, verdict))
    lost.sort(key=lambda one: (abs(one[0].gap), one[0].by.place))
    if not candidates:
        return Attribution(conversion, (), lost, _reason(conversion, {verdict for _, verdict in lost}))
    return Attribution(conversion, _credits(conversion, rules.ordered(candidates), by), lost, None)


def _credits(conversion: Conversion, order: Sequence[Touch], by: Rules) -> list[Credit]:
    weights = rules.weights(by.model, order)
    shares = credit.divided(credit.WHOLE, weights)
    values: Sequence[int | None] = [None] * len(order)
    if conversion.value_e4 is not None and conversion.currency is not None:
        unit = credit.unit_of(conversion.value_e4, conversion.currency)
        values = credit.divided(conversion.value_e4, weights, unit)
    total = sum(weights)
    return [Credit(*parts[:2], total, *parts[2:]) for parts in zip(order, weights, shares, values, strict=True)]


def _reason(conversion: Conversion, verdicts: set[Verdict]) -> Reason:
    if verdicts:
        return Reason.OUTSIDE if Verdict.OUTSIDE in verdicts else Reason.AFTER
    if conversion.attribution_type == ORGANIC:
        return Reason.ORGANIC
    if any(conversion.ids):
        return Reason.NO_TOUCH
    return Reason.SHARED if conversion.shared else Reason.NO_IDS
