"""`manage.py why`: the rule by which each touch won or lost, and a clear answer for what is no conversion."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.reporting.views.events import NOON
from tests.reporting.views.events import stored as event

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def order(event_id: str | None = "o1", **fields: Any) -> str:
    return event(event_id=event_id, params={"value": 100, "currency": "EUR"}, **fields)


def touch(before: timedelta, **fields: Any) -> str:
    return event(event_name="contents_viewed", timestamp=NOON - before, session_id="s", **fields)


@pytest.fixture
def bought() -> str:
    touch(31 * DAY, click_id="old")
    touch(10 * DAY, click_id="k1")
    touch(3 * DAY, click_id="k2")
    touch(20 * HOUR, impression_id="i1")
    touch(25 * HOUR, impression_id="i2")
    touch(-90 * timedelta(minutes=1), click_id="after")
    return order(session_id="s")


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    call_command("why", *arguments, "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    tables = {table["name"]: table["rows"] for table in answer["tables"]}
    return answer, tables["touches"], {row["what"]: row["is"] for row in tables["conversion"]}


LOST = {
    "old": "outside the window of 30 d that a click has",
    "after": "after the conversion",
    "i2": "outside the window of 1 d that a view has",
}


@pytest.mark.parametrize(
    ("model", "title", "why", "values"),
    [
        (
            "last",
            "Credited to the click k2",
            {
                "k2": "won: the latest click",
                "k1": "lost: another click is later",
                "i1": "lost: a click comes before a view",
            },
            {"k2": "100", "k1": "0", "i1": "0"},
        ),
        (
            "first",
            "Credited to the click k1",
            {
                "k2": "lost: another click is earlier",
                "k1": "won: the earliest click",
                "i1": "lost: a click comes before a view",
            },
            {"k2": "0", "k1": "100", "i1": "0"},
        ),
        (
            "linear",
            "Credited to 3 touches",
            dict.fromkeys(("k2", "k1", "i1"), "every candidate gets the same"),
            {"k2": "33.34", "k1": "33.33", "i1": "33.33"},
        ),
        (
            "position",
            "Credited to 3 touches",
            {
                "k2": "the latest click: 40 %",
                "k1": "the earliest click of the others: 40 %",
                "i1": "between the two ends: a part of 20 %",
            },
            {"k2": "40", "k1": "40", "i1": "20"},
        ),
    ],
)
def test_each_touch_has_the_rule_by_which_it_won_or_lost(
    bought: str, capsys: pytest.CaptureFixture[str], model: str, title: str, why: dict[str, str], values: dict[str, str]
) -> None:
    answer, touches, facts = asked(capsys, bought, "--model", model)
    assert answer["title"] == title
    assert {row["interaction"]: row["why"] for row in touches} == why | LOST
    assert [row["interaction"] for row in touches] == ["k2", "k1", "i1", "after", "i2", "old"]
    assert {row["interaction"]: row["value"] for row in touches if row["place"]} == values
    assert {row["before"] for row in touches[3:]} == {"-1 h 30 min", "1 d 1 h", "31 d"}
    assert facts["value"] == "100 EUR"


def test_windows_decide_what_is_a_candidate(bought: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer, touches, _ = asked(capsys, bought, "--click-window", "31d", "--view-window", "90m", "--model", "first")
    assert answer["title"] == "Credited to the click old"
    assert [row["why"] for row in touches if row["interaction"] == "i1"] == [
        "outside the window of 1 h 30 min that a view has"
    ]


def test_touches_of_one_moment_are_told_apart_by_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    touch(HOUR, click_id="k1", received_at=NOON)
    touch(HOUR, click_id="k2", received_at=NOON - HOUR)
    _, touches, _ = asked(capsys, order(session_id="s"))
    assert [(row["interaction"], row["why"]) for row in touches] == [
        ("k2", "won: the latest click"),
        ("k1", "lost: another click of the same moment was received first"),
    ]
    _, touches, _ = asked(capsys, order("o2", session_id="s"), "--model", "position")
    assert {row["why"] for row in touches} == {"one of two: half"}


def test_only_touch_and_none_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    _, touches, _ = asked(capsys, order(None, click_id="k"))
    assert [row["why"] for row in touches] == ["won: the only candidate"]
    answer, touches, _ = asked(capsys, order(None, session_id="x"))
    assert (answer["title"], touches) == ("Credited to nothing: no touch with its ids", [])


def test_id_that_is_nobodys_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting.attribution.stored.MOST", 1)
    touch(HOUR, click_id="k1")
    touch(HOUR, click_id="k2")
    answer, _, _ = asked(capsys, order(session_id="s"))
    assert answer["title"] == "Credited to nothing: only ids that too many touches have"
    assert answer["notes"] == ["Its session_id is nobody's, since too many touches have it: it matches none."]


def test_people_get_a_table_in_their_time_zone(bought: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("why", bought, "--tz", "Europe/Berlin")
    said = capsys.readouterr().out
    assert said.startswith("Credited to the click k2\n")
    assert "won: the latest click" in said
    assert "2026-10-29 13:00:00" in said


def test_conversion_is_found_by_the_senders_id(capsys: pytest.CaptureFixture[str]) -> None:
    first = order(tag_id="a")
    order(tag_id="b", received_at=NOON + HOUR)
    event(event_id="o1", tag_id="c", event_name="items_added")
    order(partner="globex")
    _, _, facts = asked(capsys, "o1", "--partner", "acme")
    assert (facts["id"], facts["later reports, left out"]) == (first, "1, of which 0 differ in value")


@pytest.mark.parametrize("by", ["id", "event_id"])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"is_test": True}, "is an event of a test key, which no report counts"),
        ({"event_name": "items_added"}, "is named 'items_added', and no conversion; those are named order_created, "),
    ],
)
def test_what_is_no_conversion_is_told(by: str, fields: dict[str, Any], said: str) -> None:
    id = order(**fields)
    with pytest.raises(CommandError, match=said):
        call_command("why", *([id] if by == "id" else ["o1", "--partner", "acme"]))


def test_later_report_leads_to_the_first() -> None:
    first, later = order(tag_id="a"), order(tag_id="b", received_at=NOON + HOUR)
    with pytest.raises(CommandError, match=f"{later} is a later report of conversion {first}, which counts"):
        call_command("why", later)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["01890000-0000-7000-8000-000000000000"], "There is no event 01890000-.* erased or pruned"),
        (["o1"], "'o1' is no id of an event; .* name the --partner"),
        (["none", "--partner", "acme"], "acme has no event with the event_id 'none'"),
        (["o1", "--partner", "acme"], "'o1' is the event_id of several conversions; .*lead_created"),
        (["o1", "--partner", "nobody"], "--partner: .*nobody"),
        (["o1", "--model", "best"], "--model: one of last"),
        (["o1", "--click-window", "1 month"], "--click-window: '1 month'"),
        (["o1", "--tz", "Mars"], "time zone: 'Mars'"),
    ],
)
def test_what_is_not_there_is_named(arguments: list[str], said: str) -> None:
    order()
    order(event_name="lead_created", tag_id="b")
    with pytest.raises(CommandError, match=said) as error:
        call_command("why", *arguments)
    assert error.value.returncode == 2
