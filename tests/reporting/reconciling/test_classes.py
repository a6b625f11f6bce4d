"""Each line, and each stored id, is in exactly one class, in whatever order they come."""

import io
import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.reconciling import files
from reporting.reconciling.classes import Money, OfLine, OfStored
from reporting.reconciling.comparison import Verdict
from reporting.reconciling.desk import StoredEvent
from reporting.reconciling.tally import Tally
from reporting.reconciling.wanted import Match
from tests.reporting.reconciling.lists import classes, event, verdicts

pytestmark = pytest.mark.once


def line(id: str, amount: Any = None, currency: str = "EUR", **fields: Any) -> dict[str, Any]:
    return {"event_id": id, **({} if amount is None else {"amount": amount, "currency": currency}), **fields}


def test_line_is_compared_with_what_is_stored() -> None:
    events = [event("a", 580_000, "EUR"), event("b", 580_000, "EUR"), event("c", 580_000, "USD"), event("e")]
    found = verdicts([line("a", "58.00"), line("b", 57), line("c", 58), line("d", 1), line("e"), b"{"], events)
    assert classes(found) == ["agrees", "different", "different", "missing", "agrees", "unreadable"]
    assert [verdict.cause for verdict in found[1:3]] == ["amount", "currency"]
    assert found[5].number == 6


def test_amount_on_one_side_alone_is_a_difference() -> None:
    events = [event("a", 10_000, "EUR"), event("b"), *(event(id, money=Money(issue="no_currency")) for id in "cd")]
    found = verdicts([line("a"), line("b", 1), line("c", 1), line("d")], events)
    assert [verdict.cause for verdict in found] == [
        "the file has no amount",
        "no value is stored",
        "the stored value does not count: no_currency",
        "the stored value does not count: no_currency",
    ]
    assert classes(found) == ["different"] * 4


def test_file_without_amounts_compares_ids_alone() -> None:
    assert classes(verdicts([line("a"), line("b")], [event("a", 10_000, "EUR")])) == ["agrees", "missing"]


def test_tolerance_is_that_of_the_currency() -> None:
    events = [event("a", 580_000, "EUR"), event("b", 580_000, "JPY")]
    lines = [line("a", "58.02"), line("b", 60, "JPY")]
    assert classes(verdicts(lines, events, tolerance=2)) == ["agrees", "agrees"]
    assert classes(verdicts(lines, events, tolerance=1)) == ["different", "different"]


def test_equal_lines_are_doubled_and_contradicting_ones_are_all_undecided() -> None:
    lines = [line("a", 58), line("a", "58.00"), line("b", 1), line("b", 2), line("b", 1), line("c", 1), line("c", 1)]
    found = verdicts(lines, [event("a", 580_000, "EUR"), event("b", 10_000, "EUR")])
    assert classes(found) == ["agrees", "doubled_equal", *["doubled_different"] * 3, "missing", "doubled_equal"]


def test_same_id_of_another_name_is_another_line() -> None:
    lines = [line("a", event_name="lead_created"), line("a")]
    assert classes(verdicts(lines, [event("a")])) == ["missing", "agrees"]


def test_what_is_stored_in_the_range_and_in_no_line_is_only_here() -> None:
    events = [
        event("a", is_in_range=False),
        event("b", number=2),
        event("b", number=3),
        event("c", is_in_range=False),
        event(None, number=4),
        event(None, number=5, is_in_range=False),
    ]
    found = verdicts([line("a")], events)
    assert [(verdict.of, verdict.id) for verdict in found] == [
        (OfLine.AGREES, "a"),
        (OfStored.ONLY_HERE, "b"),
        (OfStored.WITHOUT_ID, None),
    ]
    assert found[1].here is not None
    assert (found[1].here.event, found[1].here.rows) == ("event 2", 2)


def test_file_without_a_line_leaves_all_that_is_stored() -> None:
    assert classes(verdicts([], [event("a")])) == ["only_here"]


def test_event_with_two_numbers_of_its_order_is_found_by_either() -> None:
    both = event(None, ids=("A", "B"), number=1)
    found = verdicts([{"order_id": "B"}], [both, event(None, ids=("C", "D"), number=2)])
    assert [(verdict.of, verdict.id) for verdict in found] == [("agrees", "B"), ("only_here", "C")]


def test_first_received_is_compared_and_counts_once_under_two_tags() -> None:
    events = [event("a", 20_000, "EUR", number=2), event("a", 10_000, "EUR", number=1)]
    (found,) = verdicts([line("a", 1)], events)
    assert (found.of, found.counted) == ("agrees", 1)
    assert found.here is not None
    assert (found.here.event, found.here.rows, found.here.moneys) == ("event 1", 2, 2)


def test_order_under_two_event_ids_counts_twice_and_so_does_what_is_no_conversion() -> None:
    events = [event(id, ids=("O",), number=number) for number, id in enumerate(["x", "x", "y", None])]
    assert verdicts([{"order_id": "O"}], events)[0].counted == 3
    events = [event("a", name="sale", number=number) for number in (1, 2)]
    assert verdicts([line("a")], events, event_name="sale")[0].counted == 2


# --- properties --------------------------------------------------------------------------------------

IDS = st.sampled_from("abcdefg")
AMOUNTS = st.sampled_from([1, 2, 3])
CURRENCIES = st.sampled_from(["EUR", "USD"])
LINES = st.lists(
    st.one_of(st.builds(line, IDS, AMOUNTS, CURRENCIES), st.sampled_from([b"{", {"event_id": ""}])), max_size=12
)
EVENTS = st.lists(st.tuples(IDS, AMOUNTS, CURRENCIES, st.booleans()), max_size=10)


def of(events: list[tuple[str, int, str, bool]]) -> list[StoredEvent]:
    return [
        event(id, amount * 10_000, currency, number=number, is_in_range=is_in_range)
        for number, (id, amount, currency, is_in_range) in enumerate(events)
    ]


def oracle(lines: list[Any], events: list[tuple[str, int, str, bool]]) -> Counter[str]:
    """The classes of lines by another way: id by id, over Python's own collections."""
    said: dict[str, list[tuple[int, str]]] = {}
    found = Counter[str]()
    for one in lines:
        if isinstance(one, bytes) or not one["event_id"]:
            found["unreadable"] += 1
        else:
            said.setdefault(one["event_id"], []).append((one["amount"], one["currency"]))
    for id, amounts in said.items():
        here = next(((amount, currency) for other, amount, currency, _ in events if other == id), None)
        if len({*amounts}) > 1:
            found["doubled_different"] += len(amounts)
            continue
        found["doubled_equal"] += len(amounts) - 1
        found["missing" if here is None else "agrees" if here == amounts[0] else "different"] += 1
    found["only_here"] = len({id for id, _, _, is_in_range in events if is_in_range and id not in said})
    return +found


def with_id_first(lines: list[Any]) -> list[Any]:
    """The lines behind one that says which column has the ids: it is stored, too."""
    return [line("first", 1), *lines]


FIRST = ("first", 1, "EUR", True)


@given(LINES, EVENTS)
def test_every_line_is_in_exactly_one_class(lines: list[Any], events: list[tuple[str, int, str, bool]]) -> None:
    lines, events = with_id_first(lines), [FIRST, *events]
    found = verdicts(lines, of(events))
    assert Counter(classes(found)) == oracle(lines, events)
    numbers = [verdict.number for verdict in found if isinstance(verdict.of, OfLine)]
    assert numbers == list(range(1, len(lines) + 1))


@given(LINES, EVENTS, st.randoms(use_true_random=False))
def test_order_of_the_file_and_of_the_stream_changes_nothing(
    lines: list[Any], events: list[tuple[str, int, str, bool]], chance: random.Random
) -> None:
    lines, stored = with_id_first(lines), of([FIRST, *events])
    before = Counter(map(without_number, verdicts(lines, stored)))
    mixed = lines[1:]
    chance.shuffle(mixed)
    chance.shuffle(stored)
    assert Counter(map(without_number, verdicts(with_id_first(mixed), stored))) == before


def without_number(verdict: Verdict) -> tuple[Any, ...]:
    money = verdict.line.money if verdict.line else None
    # Of lines that contradict each other any may be the one that speaks for the id.
    speaks = verdict.speaks_for_id and verdict.of is not OfLine.DOUBLED_DIFFERENT
    return verdict.of, verdict.id, money, verdict.here, verdict.cause, speaks


@given(LINES, EVENTS)
def test_sending_again_what_is_missing_closes_the_gap(
    lines: list[Any], events: list[tuple[str, int, str, bool]]
) -> None:
    lines, stored = with_id_first(lines), of([FIRST, *events])
    file = io.BytesIO()
    write = files.again(file, Match.EVENT_ID)
    before = verdicts(lines, stored)
    for verdict in before:
        write(verdict)
    sent = [json.loads(text) for text in file.getvalue().splitlines()]
    stored += [
        event(one["event_id"], one["params"]["value"] * 10_000, one["params"]["currency"], number=100 + number)
        for number, one in enumerate(sent)
    ]
    after = Counter(classes(verdicts(lines, stored)))
    was = Counter(classes(before))
    assert len(sent) == was["missing"]
    assert after["missing"] == 0
    assert after["agrees"] == was["agrees"] + was["missing"]
    assert after.total() == was.total()


@given(LINES, EVENTS, st.integers(0, 3))
def test_tally_adds_up_and_keeps_no_more_than_it_shows(
    lines: list[Any], events: list[tuple[str, int, str, bool]], shown: int
) -> None:
    lines = with_id_first(lines)
    tally = Tally(shown)
    for verdict in verdicts(lines, of([FIRST, *events])):
        tally.add(verdict)
    assert tally.all_lines == len(lines)
    assert all(len(kept) <= shown for kept in tally.examples.values())
    only_agreed = tally.lines[OfLine.AGREES] == len(lines)
    assert tally.agrees == (only_agreed and tally.of_kind["only_here"] == 0)
