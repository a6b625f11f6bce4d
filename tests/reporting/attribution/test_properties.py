"""What holds of every conversion and all events: held to the oracle, which is another program."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.attribution.attributing import Attribution, Reason, attribute
from reporting.attribution.journey import MATCHES, Conversion, Shown
from reporting.attribution.rules import Model, Rules
from tests.reporting.attribution import oracle
from tests.reporting.attribution.made import DAY, NOON, ids

pytestmark = pytest.mark.once

SAID = {
    Reason.OUTSIDE: "outside",
    Reason.AFTER: "after",
    Reason.ORGANIC: "organic",
    Reason.NO_IDS: "no ids",
    Reason.NO_TOUCH: "no touch",
}
# Few values, so that they meet.
an_id = st.sampled_from([None, None, "x", "y"])
some_ids = st.tuples(an_id, an_id, an_id, an_id, an_id)
money = st.one_of(
    st.just((None, None)),
    st.tuples(st.integers(-(10**9), 10**9), st.sampled_from(sorted(oracle.COIN))),
)
# On both sides of both windows and of the conversion, and often at one moment.
gaps = st.builds(
    lambda days, ticks: days * DAY / 2 + timedelta(microseconds=ticks),
    st.sampled_from([-1, 0, 0, 1, 2, 2, 3, 10, 59, 60, 61]),
    st.integers(-1, 1),
)


@st.composite
def conversions(draw: st.DrawFn) -> Conversion:
    value_e4, currency = draw(money)
    event_id = draw(st.sampled_from([None, "o1"]))
    type = draw(st.sampled_from([None, "organic", "click"]))
    return Conversion(UUID(int=1), 1, "acme", "order_created", event_id, NOON, draw(some_ids), type, value_e4, currency)


@st.composite
def events(draw: st.DrawFn) -> list[Shown]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        at = NOON - draw(gaps)
        found.append(
            Shown(
                UUID(int=1_000 + number),
                draw(st.sampled_from([1, 1, 1, 2])),
                draw(st.sampled_from(["click", "view"])),
                draw(st.sampled_from([None, "a", "b", "c"])),
                draw(st.sampled_from(["contents_viewed", "order_created"])),
                draw(st.sampled_from([None, "o1", "e1", "e2"])),
                "shop",
                at + draw(st.sampled_from([timedelta(0), DAY])),
                at,
                draw(some_ids),
            )
        )
    return found


rules = st.builds(
    Rules,
    st.sampled_from(Model),
    st.sampled_from([30 * DAY, DAY, timedelta(0)]),
    st.sampled_from([DAY, 30 * DAY, timedelta(0)]),
)


def as_dict(one: Conversion | Shown) -> dict[str, Any]:
    """What the oracle reads of a conversion or an event."""
    found = {
        "id": one.id,
        "partner": one.partner_id,
        "at": one.timestamp,
        "report": (one.event_name, one.event_id or one.id),
        **dict(zip(MATCHES, one.ids, strict=True)),
    }
    if isinstance(one, Shown):
        return {**found, "kind": one.kind, "interaction": one.interaction, "received": one.received_at}
    value = None if one.value_e4 is None else Decimal(one.value_e4) / 10_000
    return {**found, "value": value, "currency": one.currency, "attribution_type": one.attribution_type}


def told(found: Attribution) -> Any:
    """What the oracle says of it."""
    if found.reason is not None:
        return SAID[found.reason]
    return [
        (
            credit.touch.by.id,
            Fraction(credit.weight, credit.total),
            None if credit.value_e4 is None else Decimal(credit.value_e4) / 10_000,
        )
        for credit in found.credits
    ]


def expected(buyer: Conversion, seen: list[Shown], by: Rules) -> Any:
    windows = {"click": by.click_window, "view": by.view_window}
    return oracle.attributed(as_dict(buyer), [as_dict(one) for one in seen], by.model, windows)


@given(conversions(), events(), rules)
def test_attribution_is_the_oracles(buyer: Conversion, seen: list[Shown], by: Rules) -> None:
    assert told(attribute(buyer, seen, by)) == expected(buyer, seen, by)


@given(conversions(), events(), rules)
def test_credits_sum_to_the_value_or_there_is_a_reason(buyer: Conversion, seen: list[Shown], by: Rules) -> None:
    found = attribute(buyer, seen, by)
    assert bool(found.credits) == (found.reason is None)
    if found.credits:
        assert sum(credit.share_e4 for credit in found.credits) == 10_000
        assert sum(credit.value_e4 or 0 for credit in found.credits) == (buyer.value_e4 or 0)
        assert all((credit.value_e4 is None) == (buyer.value_e4 is None) for credit in found.credits)


@given(conversions(), events(), rules, st.randoms(use_true_random=False))
def test_order_of_the_events_changes_nothing(
    buyer: Conversion, seen: list[Shown], by: Rules, chance: random.Random
) -> None:
    assert attribute(buyer, chance.sample(seen, len(seen)), by) == attribute(buyer, seen, by)


@given(conversions(), events(), rules, st.data())
def test_event_that_is_reported_again_under_another_tag_changes_nothing(
    buyer: Conversion, seen: list[Shown], by: Rules, data: st.DataObject
) -> None:
    reports = [one for one in seen if one.event_id is not None]
    again = [
        replace(one, id=UUID(int=one.id.int + 1_000), received_at=one.received_at + DAY, tag_id="other")
        for one in (data.draw(st.lists(st.sampled_from(reports), unique=True)) if reports else [])
    ]
    # The same event, so that it is not one of two with the same event_id.
    assert attribute(buyer, [*again, *seen], by) == attribute(buyer, seen, by)


@given(conversions(), events(), rules, st.data())
def test_touch_that_is_erased_leaves_its_credit_to_the_others(
    buyer: Conversion, seen: list[Shown], by: Rules, data: st.DataObject
) -> None:
    credits = attribute(buyer, seen, by).credits
    if not credits:
        return
    gone = data.draw(st.sampled_from([credit.touch.by.key for credit in credits]))
    left = [one for one in seen if one.key != gone]
    found = attribute(buyer, left, by)
    assert told(found) == expected(buyer, left, by)
    kept = [credit.touch for credit in credits if credit.touch.by.key != gone]
    assert [credit.touch for credit in found.credits] == kept
    assert sum(credit.share_e4 for credit in found.credits) == (10_000 if kept else 0)


@given(conversions(), events(), rules)
def test_other_partners_and_strangers_events_change_nothing(buyer: Conversion, seen: list[Shown], by: Rules) -> None:
    others = [replace(one, id=UUID(int=one.id.int + 5_000), partner_id=2) for one in seen]
    strangers = [replace(one, id=UUID(int=one.id.int + 9_000), ids=ids(session_id="z")) for one in seen]
    assert attribute(buyer, [*others, *seen, *strangers], by) == attribute(buyer, seen, by)
