"""How far one actor came, against an oracle that tries every way to give the steps events."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.funnels.attempts import Attempt, best, have_own
from reporting.funnels.plan import Plan
from reporting.ranges import Range
from tests.reporting.funnels import oracle
from tests.reporting.funnels.oracle import Seen

pytestmark = pytest.mark.once

START = datetime(2026, 10, 1, tzinfo=UTC)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def plan(*steps: str, window: int = 10, over: tuple[int, int] = (0, 100)) -> Plan:
    alternatives = [frozenset(step.split("|")) for step in steps]
    return Plan(alternatives, timedelta(minutes=window), Range(at(over[0]), at(over[1])))


def reached(of: Plan, **minutes: list[int]) -> list[int]:
    """The minutes at which the steps are reached by an actor whose events, by name, are at these minutes."""
    found = best([(at(minute), name) for name, each in minutes.items() for minute in each], of)
    return [int((moment - START).total_seconds() // 60) for moment in found.reached]


# --- by hand ---


@pytest.mark.parametrize(
    ("of", "minutes", "expected"),
    [
        (plan("a", "b"), {"a": [1], "b": [3]}, [1, 3]),
        (plan("a", "b"), {"a": [3], "b": [1]}, [3]),
        (plan("a", "b"), {"b": [1]}, []),
        # What is no step may lie between.
        (plan("a", "b", "c"), {"a": [1], "x": [2], "b": [3], "a2": [4], "c": [5]}, [1, 3, 5]),
        (plan("a", "b", "c"), {"a": [1], "c": [2], "b": [3]}, [1, 3]),
        # The window has its beginning, and not its end.
        (plan("a", "b"), {"a": [1], "b": [11]}, [1]),
        (plan("a", "b", window=11), {"a": [1], "b": [11]}, [1, 11]),
        # It is from step 1, whatever lies between.
        (plan("a", "b", "c"), {"a": [0], "b": [9], "c": [10]}, [0, 9]),
        # The attempt that came furthest counts, not the first; of equal ones the first, in the least time.
        (plan("a", "b"), {"a": [1, 20], "b": [25]}, [20, 25]),
        (plan("a", "b"), {"a": [1, 20], "b": [5, 6, 25]}, [1, 5]),
        (plan("a", "b"), {"a": [1, 20]}, [1]),
        (plan("a", "b", "c"), {"a": [1, 3], "b": [2], "c": [12]}, [1, 2]),
        # Step 1 lies in the range; later ones may come after its end.
        (plan("a", "b", over=(5, 10)), {"a": [4], "b": [6]}, []),
        (plan("a", "b", over=(5, 10)), {"a": [10], "b": [11]}, []),
        (plan("a", "b", over=(5, 10)), {"a": [5], "b": [14]}, [5, 14]),
        # At one moment, each step has an event of its own, in whichever order they came.
        (plan("a", "b", "c"), {"c": [1], "b": [1], "a": [1]}, [1, 1, 1]),
        (plan("a", "a"), {"a": [1]}, [1]),
        (plan("a", "a"), {"a": [1, 1]}, [1, 1]),
        (plan("a", "a", "a"), {"a": [1, 1, 4]}, [1, 1, 4]),
        # `b` is left for step 2, although step 1 could take it.
        (plan("a|b", "b"), {"a": [1], "b": [1]}, [1, 1]),
        (plan("a|b", "b|c", "c|a"), {"a": [1], "b": [1], "c": [1]}, [1, 1, 1]),
        (plan("a|b", "b"), {"b": [1]}, [1]),
        (plan("a|b", "c"), {"b": [1], "c": [2]}, [1, 2]),
    ],
)
def test_attempt_that_counts(of: Plan, minutes: dict[str, list[int]], expected: list[int]) -> None:
    assert reached(of, **minutes) == expected


def test_latest_start_is_known_also_where_another_attempt_counts() -> None:
    events = [(at(1), "a"), (at(2), "b"), (at(30), "a")]
    assert best(events, plan("a", "b", "c")) == Attempt([at(1), at(2)], at(30))
    assert best([], plan("a", "b")) == Attempt()


def test_actor_with_very_many_events_takes_no_longer_than_they_are_many() -> None:
    events = [(at(0) + timedelta(seconds=n), name) for n in range(20_000) for name in ("a", "b")]
    found = best(events, plan("a", "b", "c", "d", over=(0, 1_000)))
    assert found.reached == [at(0), at(0)]


# --- against the oracle ---

names = st.sampled_from("abc")
moments = st.integers(0, 8).map(at)
actors = st.lists(st.tuples(moments, names), max_size=7)
plans = st.builds(
    lambda steps, window, first, length: Plan(
        steps, timedelta(minutes=window), Range(at(first), at(first + length))
    ),
    st.lists(st.frozensets(names, min_size=1, max_size=2), min_size=2, max_size=4),
    st.integers(1, 9),
    st.integers(0, 4),
    st.integers(1, 6),
)  # fmt: skip


@settings(max_examples=400)
@given(actors, plans)
def test_attempt_is_that_of_the_oracle(seen: list[Seen], of: Plan) -> None:
    assert list(best(seen, of).reached) == oracle.best(seen, of)


@settings(max_examples=150)
@given(actors, plans, st.randoms(use_true_random=False))
def test_order_of_rows_and_other_names_change_nothing(seen: list[Seen], of: Plan, rng: Random) -> None:
    other = [*seen, *((moment, "another") for moment, _ in seen)]
    rng.shuffle(other)
    assert best(other, of) == best(seen, of)


@settings(max_examples=150)
@given(actors, plans, st.tuples(moments, names))
def test_one_more_event_never_takes_a_step_away(seen: list[Seen], of: Plan, more: Seen) -> None:
    assert len(best([*seen, more], of).reached) >= len(best(seen, of).reached)


@settings(max_examples=200)
@given(st.lists(st.frozensets(names, min_size=1), max_size=4), st.lists(names, max_size=5))
def test_each_step_has_an_event_of_its_own_if_any_way_to_give_them_does(
    steps: list[frozenset[str]], events: list[str]
) -> None:
    ways = permutations(events, len(steps))
    expected = any(all(name in step for name, step in zip(way, steps, strict=True)) for way in ways)
    assert have_own(steps, Counter(events)) == expected
