"""Which events show a touch of a conversion, and when that touch was."""

from dataclasses import replace

import pytest

from reporting.attribution.journey import MATCHES, Touch, touches_of
from tests.reporting.attribution.made import DAY, HOUR, NEVER, conversion, shown

pytestmark = pytest.mark.once


def told(touches: list[Touch]) -> list[tuple[str | None, str, object]]:
    return sorted((touch.by.interaction, MATCHES[touch.match], touch.gap) for touch in touches)


@pytest.mark.parametrize("name", MATCHES)
def test_each_id_matches_and_says_so(name: str) -> None:
    assert told(touches_of(conversion(**{name: "x"}), [shown(1, **{name: "x"})])) == [("click-1", name, HOUR)]


@pytest.mark.parametrize("name", MATCHES)
def test_id_of_another_kind_with_the_same_text_is_another_id(name: str) -> None:
    others = dict.fromkeys(set(MATCHES) - {name}, "x")
    assert touches_of(conversion(**{name: "x"}), [shown(1, **others)]) == []


def test_ids_that_both_lack_match_nothing() -> None:
    assert touches_of(conversion(click_id="x"), [shown(1, session_id="y")]) == []
    assert touches_of(conversion(click_id=None), [shown(1, click_id=None)]) == []


def test_other_partners_ids_match_nothing() -> None:
    assert touches_of(conversion(), [shown(1, partner_id=2)]) == []


@pytest.mark.parametrize("stronger", range(4))
def test_strongest_id_is_named(stronger: int) -> None:
    both = dict.fromkeys(MATCHES[stronger:], "x")
    ((_, match, _),) = told(touches_of(conversion(**both), [shown(1, **both)]))
    assert match == MATCHES[stronger]


def test_events_of_one_interaction_are_a_touch_at_the_earliest_that_matches() -> None:
    events = [
        shown(1, before=9 * DAY, interaction="x", session_id="another"),
        shown(2, before=5 * DAY, interaction="x", client_id="c"),
        shown(3, before=HOUR, interaction="x", session_id="s"),
        shown(4, before=2 * HOUR, interaction="y"),
    ]
    buyer = conversion(session_id="s", client_id="c")
    # The client leads to the earliest, and the session, which is stronger, to another event of it.
    assert told(touches_of(buyer, events)) == [("x", "session_id", 5 * DAY), ("y", "session_id", 2 * HOUR)]


def test_click_and_view_of_one_interaction_are_two_touches() -> None:
    events = [shown(1, "click", interaction="x"), shown(2, "view", interaction="x")]
    assert len(touches_of(conversion(), events)) == 2


def test_event_without_an_interaction_is_a_touch_however_often_it_is_reported() -> None:
    once = shown(1, interaction=None, event_id="e1")
    again = shown(2, interaction=None, event_id="e1", tag_id="other", before=HOUR / 2)
    others = [shown(3, interaction=None, event_id="e2"), shown(4, interaction=None), shown(5, interaction=None)]
    found = touches_of(conversion(), [again, once, *others])
    assert sorted(touch.by.id.int for touch in found) == [1_001, 1_003, 1_004, 1_005]


def test_conversion_shows_the_interaction_that_it_names() -> None:
    buyer = conversion(click_id="x")
    itself = shown(1, id=buyer.id, event_name="order_created", interaction="x", before=NEVER, click_id="x")
    assert told(touches_of(buyer, [itself])) == [("x", "click_id", NEVER)]


@pytest.mark.parametrize("event_id", [None, "o1"])
def test_conversion_without_an_interaction_is_no_touch_of_itself(event_id: str | None) -> None:
    buyer = conversion(event_id=event_id)
    itself = shown(1, id=buyer.id, event_name="order_created", event_id=event_id, interaction=None, before=NEVER)
    assert touches_of(buyer, [itself]) == []
    if event_id:
        assert touches_of(buyer, [replace(itself, id=shown(2).id, tag_id="other", timestamp=shown(2).timestamp)]) == []
    assert len(touches_of(buyer, [replace(itself, id=shown(2).id, event_id="o2")])) == 1


def test_id_that_is_nobodys_is_taken_away_and_remembered() -> None:
    buyer = conversion(session_id="s", client_id="undefined")
    left = buyer.without([4])
    assert (left.ids[3], left.ids[4], left.shared) == ("s", None, (4,))
    assert buyer.without([]) is buyer
