"""Steps and windows in words: what they mean, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from reporting.funnels.plan import Plan, in_words, plan_of
from reporting.ranges import Range
from reporting.reports.question import BadQuestion, Question

OVER = Range(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))


def plan(*arguments: str, **options: str) -> Plan:
    return plan_of(Question(OVER, arguments=arguments, options=options))


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        (["a,b,c"], ["a", "b", "c"]),
        (["a", "b", "c"], ["a", "b", "c"]),
        (["a,b", "c"], ["a", "b", "c"]),
        ([" a , b "], ["a", "b"]),
        (["a|b,c"], ["a|b", "c"]),
        (["a | b", "b|b"], ["a|b", "b"]),
        ([r"a\,b,c"], ["a,b", "c"]),
        ([r"a\\,c"], ["a\\", "c"]),
        ([r"a\b,c"], [r"a\b", "c"]),
        (["a,a"], ["a", "a"]),
    ],
)
def test_steps_are_read(arguments: list[str], steps: list[str]) -> None:
    expected = [frozenset(step.split("|")) for step in steps]
    assert plan(*arguments).steps == expected


def test_name_may_have_what_divides_names() -> None:
    assert plan(r"a\|b|c,d").steps == [frozenset({"a|b", "c"}), frozenset({"d"})]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "not 0"),
        (["a"], "not 1"),
        (["a,,b"], "step 2 has no name"),
        (["a,b,"], "step 3 has no name"),
        (["a|,b"], "step 1 has no name"),
        (["a", ""], "step 2 has no name"),
        ([",".join("abcdefghijklmnopqrstu")], "not 21"),
    ],
)
def test_what_is_no_step_is_refused(arguments: list[str], told: str) -> None:
    with pytest.raises(BadQuestion, match=told):
        plan(*arguments)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("4w", timedelta(weeks=4)),
        ("366d", timedelta(days=366)),
    ],
)
def test_window_is_read(text: str, window: timedelta) -> None:
    assert plan("a,b", window=text).window == window


def test_window_is_a_week_unless_another_is_named() -> None:
    assert plan("a,b").window == timedelta(days=7)
    assert plan("a,b").searched_until == OVER.end + timedelta(days=7)


@pytest.mark.parametrize("text", ["", "7", "0d", "367d", "1.5h", "-1d", "d", "7 d", "99999999w", "७d"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(BadQuestion, match="window"):
        plan("a,b", window=text)


def test_unknown_option_is_refused_and_named() -> None:
    with pytest.raises(BadQuestion, match="order: a funnel has no such option"):
        plan("a,b", order="any")


def test_range_may_end_where_time_does() -> None:
    until = datetime(9999, 12, 31, tzinfo=UTC)
    found = plan_of(Question(Range(OVER.start, until), arguments=["a,b"], options={"window": "366d"}))
    assert found.searched_until == datetime.max.replace(tzinfo=UTC)


def test_steps_in_words_are_sorted() -> None:
    assert in_words(frozenset({"lead_created", "custom", "trial_started"})) == "custom | lead_created | trial_started"
