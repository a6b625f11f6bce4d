"""What a person is shown: nothing that acts on the screen, and moments in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from runtime import display


@pytest.mark.parametrize(
    ("text", "page", "terminal"),
    [
        ("plain äöü 漢字", "plain äöü 漢字", "plain äöü 漢字"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c", "a\\u202eb\\u2066c"),
        ("a\nb\x1b[31m\x7f\x9b", "a\nb\\x1b[31m\\x7f\\x9b", "a\\x0ab\\x1b[31m\\x7f\\x9b"),
        ("<b>", "<b>", "<b>"),
    ],
)
def test_text_does_not_act_on_the_screen(text: str, page: str, terminal: str) -> None:
    assert (display.on_page(text), display.on_terminal(text)) == (page, terminal)


def test_fields_of_forms_are_left_as_they_are() -> None:
    form = '<input title="{0}" value="\u202e"><textarea rows="3">\n\u202e</textarea><option value="1">{0}</option>'
    assert display.on_page(form.format("\u202e")) == form.format("\\u202e")


def test_decoded_json_is_spelled_out_at_any_depth() -> None:
    value = {"a": [{"b": "\u202e\n"}], "n": 1, "t": True}
    assert display.in_json(value) == {**value, "a": [{"b": "\\u202e\n"}]}


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_moment_is_in_utc(zone: timezone) -> None:
    moment = datetime(2026, 5, 26, 23, 0, 7, 999, UTC).astimezone(zone)
    assert display.second(moment) == "2026-05-26 23:00:07"
    assert display.minute(moment) == "2026-05-26 23:00"
    assert display.day(moment) == "2026-05-26"
    assert display.millisecond(moment) == "2026-05-26 23:00:07.000 UTC"
    assert display.exact(moment) == "2026-05-26 23:00:07.000999 UTC"
    assert display.exact(moment.replace(microsecond=250_000)) == "2026-05-26 23:00:07.250 UTC"


def test_no_moment_is_a_dash() -> None:
    formats = (display.second, display.minute, display.day, display.millisecond, display.exact)
    assert [show(None) for show in formats] == ["-"] * 5
