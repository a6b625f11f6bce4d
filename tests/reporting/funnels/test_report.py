"""The report over stored events, by hand: its figures, and what is in none of them as a line of its own."""

from datetime import timedelta

import pytest

from keys.models import ApiKey
from reporting.reports.question import BadQuestion
from tests.harness import factories
from tests.reporting.funnels.asked import START, Sent, apart, ask, figures, rows, write

pytestmark = pytest.mark.django_db


def test_figures_of_each_step(key: ApiKey) -> None:
    write(
        key,
        *(Sent(hour, "view", f"c{hour}") for hour in range(4)),
        *(Sent(hour + took, "add", f"c{hour}") for hour, took in ((0, 1), (1, 2), (2, 6))),
        *(Sent(hour, "order", f"c{client}") for hour, client in ((2.5, 0), (50, 1))),
        Sent(1, "order"),
    )
    first, second, third = rows(ask("view,add,order"))
    assert first == {
        "step": "1", "events": "view", "actors": 4, "share_of_first": 1.0, "share_of_previous": None, "lost_after": 1,
        "median_seconds_from_first": None, "median_seconds_from_previous": None, "after_range_end": 0,
        "no_actor_events": 0,
    }  # fmt: skip
    assert second == {
        "step": "2", "events": "add", "actors": 3, "share_of_first": 0.75, "share_of_previous": 0.75, "lost_after": 1,
        "median_seconds_from_first": 7_200, "median_seconds_from_previous": 7_200, "after_range_end": 0,
        "no_actor_events": 0,
    }  # fmt: skip
    # Of two, the lower one: from the view at 0:00 to 2:30, and from the add at 1:00 on.
    assert third == {
        "step": "3", "events": "order", "actors": 2, "share_of_first": 0.5, "share_of_previous": 2 / 3,
        "lost_after": None, "median_seconds_from_first": 9_000, "median_seconds_from_previous": 5_400,
        "after_range_end": 1, "no_actor_events": 1,
    }  # fmt: skip


def test_nobody_has_no_shares_and_no_medians() -> None:
    answer = ask("view,order")
    assert [list(row.values())[2:] for row in rows(answer)] == [
        [0, None, None, 0, None, None, 0, 0],
        [0, None, None, None, None, None, 0, 0],
    ]
    assert "No event of the time that was searched is named order." in answer.notes


def test_actor_is_the_client_else_the_session_within_a_partner(key: ApiKey) -> None:
    other = factories.key(factories.partner("other"))[0]
    write(
        key,
        # One client in two sessions.
        Sent(1, "view", "a", "s1"), Sent(2, "order", "a", "s2"),
        # A session whose client is known later only: two actors.
        Sent(1, "view", None, "s3"), Sent(2, "order", "b", "s3"),
        # A session alone, also where the client is empty.
        Sent(1, "view", "", "s4"), Sent(2, "order", None, "s4"),
        # A session with the id of a client is another actor; ids differ in case and in blanks.
        Sent(1, "view", "x"), Sent(2, "order", None, "x"), Sent(2, "order", "X"), Sent(2, "order", "x "),
        # Nobody.
        Sent(1, "view"), Sent(2, "order", "", ""),
    )  # fmt: skip
    write(other, Sent(2, "order", "x"), Sent(1, "view", "z"))
    answer = ask("view,order")
    assert figures(answer) == [5, 2]
    assert [row["no_actor_events"] for row in rows(answer)] == [1, 1]
    # b, the session x, X, "x " and the other partner's x.
    assert apart(answer)[0] == 5
    assert figures(ask("view,order", partner=other.partner)) == [1, 0]
    assert figures(ask("view,order", partner=key.partner)) == [4, 2]


def test_range_is_of_step_1_and_what_comes_after_its_end_is_a_figure_of_its_own(key: ApiKey) -> None:
    write(
        key,
        Sent(-1, "view", "before"), Sent(1, "order", "before"),
        Sent(0, "view", "first"), Sent(48, "order", "first"),
        Sent(48, "view", "end"), Sent(49, "order", "end"),
        Sent(47, "view", "last"), Sent(47.5, "order", "last"),
        # Without an actor: of step 1 in the range, of later ones until the last window ends.
        Sent(47, "view"), Sent(49, "view"), Sent(47, "order"), Sent(49, "order"), Sent(72, "order"), Sent(-1, "order"),
    )  # fmt: skip
    answer = ask("view,order", options={"window": "24h"})
    assert figures(answer) == [2, 1]
    assert [row["no_actor_events"] for row in rows(answer)] == [1, 2]
    assert apart(answer)[0] == 1
    answer = ask("view,order", options={"window": "49h"})
    assert figures(answer) == [2, 2]
    assert [row["after_range_end"] for row in rows(answer)] == [0, 1]
    assert [row["no_actor_events"] for row in rows(answer)] == [1, 3]


def test_windows_that_are_not_over_are_told(key: ApiKey) -> None:
    write(
        key,
        Sent(30, "view", "still"), Sent(10, "view", "over"),
        Sent(30, "view", "done"), Sent(31, "order", "done"), Sent(32, "order", "done"),
        # The attempt that counts is over, and a later one is not.
        Sent(2, "view", "again"), Sent(3, "add", "again"), Sent(40, "view", "again"),
    )  # fmt: skip
    now = START + timedelta(hours=50)
    answer = ask("view,add|order,order", now=now, options={"window": "24h"})
    assert figures(answer) == [4, 2, 1]
    told = "no: the last may be open until 2026-10-04 00:00; actors who may still come further: 2"
    assert answer.stated["windows are over"] == told
    assert apart(answer)[1] == 2
    # A day after it began a window of a day is over.
    assert apart(ask("view,add|order,order", now=START + timedelta(hours=54), options={"window": "24h"}))[1] == 1
    # At the moment at which the last window ends it is over.
    assert ask("view,order", now=START + timedelta(hours=72), options={"window": "24h"}).stated[
        "windows are over"
    ] == "yes"  # fmt: skip


def test_all_that_the_answer_depends_on_is_stated() -> None:
    answer = ask("view", "add|order", options={"window": "90m"})
    assert answer.title == "Funnel: view → add | order"
    stated = dict(answer.stated)
    assert stated | {
        "events from": "2026-10-01 00:00", "until before": "2026-10-03 00:00", "steps": "view → add | order",
        "window": "90 minutes from step 1: a step counts if it comes less than this after step 1",
        "actor": "client_id, else session_id, of one partner", "test events": "not counted",
        "share of first": "denominator: the actors of step 1", "partner": "all", "time zone": "UTC",
        "share of previous": "denominator: the actors of the step before",
    } == stated  # fmt: skip
    assert ask("a,b", options={"window": "1d"}).stated["window"].startswith("1 day from")


def test_question_that_is_none_is_refused() -> None:
    with pytest.raises(BadQuestion, match="not 1"):
        ask("view")


def test_same_event_under_two_tags_changes_nothing_but_the_line_that_counts_it(key: ApiKey) -> None:
    one, two = Sent(10, "view", "a", event_id="1"), Sent(11, "order", "a", event_id="1", tag="other")
    write(key, one, two, Sent(3, "view", "b"))
    before = ask("view,order,order", options={"window": "24h"})
    assert figures(before) == [2, 1, 0]
    # What is received later, of another moment and under another tag, is no second order and moves no first one.
    copies = (("view", 9), ("view", 10.5), ("order", 10.8), ("order", 12))
    for number, (name, hours) in enumerate(copies):
        write(key, Sent(hours, name, "a", event_id="1", tag=f"server {number}", received=60))
    after = ask("view,order,order", options={"window": "24h"})
    assert rows(after) == rows(before)
    assert (apart(before)[2], apart(after)[2]) == (0, 4)
    # What is received earlier counts.
    write(key, Sent(20, "order", "a", event_id="1", tag="first", received=-60))
    assert rows(ask("view,order"))[1]["median_seconds_from_first"] == 36_000


@pytest.mark.parametrize(("first", "second"), [(("x", None), (None, "x")), ((None, "x"), ("x", None))])
def test_client_and_session_of_one_id_are_two(key: ApiKey, first: tuple[str, str], second: tuple[str, str]) -> None:
    write(key, Sent(1, "view", *first), Sent(2, "order", *second))
    assert figures(ask("view,order")) == [1, 0]


def test_one_id_at_two_partners_is_two_actors(key: ApiKey) -> None:
    write(key, Sent(1, "view", "x"))
    write(factories.key(factories.partner("other"))[0], Sent(2, "order", "x"))
    assert figures(ask("view,order")) == [1, 0]


def test_step_1_after_the_range_is_not_searched(key: ApiKey) -> None:
    write(key, Sent(49, "view", "x"), Sent(49, "order", "x"))
    answer = ask("view,order")
    assert [note for note in answer.notes if "No event" in note] == [
        "No event of the time that was searched is named view."
    ]


def test_events_of_test_keys_are_not_counted(key: ApiKey) -> None:
    test_key = factories.key(key.partner, is_test=True)[0]
    write(key, Sent(1, "view", "a"))
    write(test_key, Sent(2, "order", "a"), Sent(1, "view", "b"), Sent(1, "view"))
    answer = ask("view,order")
    assert figures(answer) == [1, 0]
    assert rows(answer)[0]["no_actor_events"] == 0
