"""`manage.py tail`: which rows it prints, and how they read on a terminal and in a pipe."""

import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from collect.models import LateArrival
from keys.models import ApiKey, Partner
from reporting.live.filters import Filter
from reporting.live.stream import Row
from reporting.management.commands import tail
from reporting.management.commands.tail import Follower
from tests.harness import factories
from tests.reporting.live.stored import NOW, events, rejection

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("tail", *arguments, stdout=out)
    return out.getvalue()


def test_newest_rows_come_last_and_hostile_text_is_spelled_out(key: ApiKey) -> None:
    events(key, 3, event_name="old")
    rejection(key, 2)
    events(key, 1, event_name="\u202enew\x1b[31m", tag_id="t", event_id="e-1")
    assert printed("--lines", "2").splitlines() == [
        "2026-11-26 14:02:08.500 UTC  invalid_event  Acme  event_name: required",
        "2026-11-26 14:02:09.500 UTC  stored         Acme  \\u202enew\\x1b[31m  t  e-1",
    ]


def test_json_is_a_line_for_each_row(key: ApiKey) -> None:
    (stored,) = events(key, 3, event_name="old")
    (line,) = map(json.loads, printed("--json").splitlines())
    assert (line["kind"], line["id"], line["name"]) == ("event", stored, "old")
    assert line["received_at"].startswith("2026-11-26 14:02:07.5")


def test_rows_are_filtered_by_what_the_arguments_name(key: ApiKey) -> None:
    other, _ = factories.key(factories.partner("Beta"))
    events(key, 3, event_name="a", tag_id="x")
    events(other, 2, event_name="b", tag_id="y")
    rejection(other, 1)
    assert "Acme" not in printed("--partner", "Beta")
    for arguments in (("--event-name", "a"), ("--tag", "x"), ("--key", key.prefix), ("--partner", "Acme")):
        (line,) = printed(*arguments).splitlines()
        assert "a  x" in line
    (line,) = printed("--outcome", "rejected").splitlines()
    assert "invalid_event" in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--partner", "Acne"), "Did you mean 'Acme'"), (("--outcome", "x"), "one of stored, rejected")],
)
def test_filter_that_is_none_is_refused(key: ApiKey, arguments: tuple[str, str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        printed(*arguments)


def test_follower_yields_each_row_once_and_whole_seconds(key: ApiKey) -> None:
    events(key, 5)
    follower = Follower(Filter(), NOW)
    burst = events(key, *(0.4 - number / 100 for number in range(30)))
    shown = list(follower.look(NOW))
    assert [row.id for row in shown if isinstance(row, Row)] == burst
    late = events(key, 14, 0.3)
    shown = list(follower.look(NOW + timedelta(seconds=1)))
    assert [row.id for row in shown if isinstance(row, Row)] == late
    assert list(follower.look(NOW + timedelta(seconds=2))) == []


def test_follow_prints_what_comes_in_until_it_is_interrupted(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Partner.objects.update(name="A\x1b[31mcme")
    steps: list[Callable[[], object]] = [
        lambda: events(key, -3_000, event_name="first"),
        lambda: LateArrival.objects.create(
            at=NOW + timedelta(seconds=3_001),
            road="spool",
            partner=key.partner,
            events=3,
            rejections=0,
            start=NOW,
            end=NOW,
        ),
        lambda: None,
    ]
    clock = iter([NOW + timedelta(seconds=seconds) for seconds in (2_999, 3_000.5, 3_002, 3_020)])

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # a moment that the test has made
            return next(clock)

    def sleep(_seconds: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr(tail, "datetime", Clock)
    monkeypatch.setattr("time.sleep", sleep)
    call_command("tail", "--follow", "--lines", "0")
    first, late = capsys.readouterr().out.splitlines()
    assert "first" in first
    assert late == "2026-11-26 14:02:10 to 14:02:11 UTC: 3 events of A\\x1b[31mcme came late, from the spool"
