"""What a person is shown: nothing that acts on the screen, and moments in UTC."""

import json
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
        ("a\u200bb\u2028c\ufeff", "a\\u200bb\\u2028c\\ufeff", "a\\u200bb\\u2028c\\ufeff"),
        ("soft\u00adhyphen \U000e0041", "soft\\u00adhyphen \\U000e0041", "soft\\u00adhyphen \\U000e0041"),
        ("x\u200dy \u200c", "x\\u200dy \\u200c", "x\\u200dy \\u200c"),
        *[(text, text, text) for text in ("\U0001f468\u200d\U0001f469", "\u0645\u06cc\u200c\u062e\u0648\u0627")],
        ("a\u200d\u200d\u200db", "a\\u200d\\u200d\\u200db", "a\\u200d\\u200d\\u200db"),
    ],
)
def test_text_does_not_act_on_the_screen(text: str, page: str, terminal: str) -> None:
    assert (display.on_page(text), display.on_terminal(text)) == (page, terminal)


def test_fields_of_forms_are_left_as_they_are() -> None:
    form = '<input title="{0}" value="\u202e"><textarea rows="3">\n\u202e</textarea><option value="1">{0}</option>'
    assert display.on_page(form.format("\u202e")) == form.format("\\u202e")


def test_attribute_that_only_ends_in_value_is_no_field() -> None:
    assert display.on_page('<p data-value="\u202e">') == '<p data-value="\\u202e">'


@pytest.mark.parametrize("mark", ["\u202e", "\\u202e"])
def test_json_is_spelled_out_at_any_depth_and_its_numbers_stay(mark: str) -> None:
    text = '{"a": [{"b%s": "%s\\n \\"%s\\\\"}], "n": 58.00, "t": true}' % (mark, mark, mark)  # noqa: UP031  # braces
    shown = display.in_json(text)
    assert json.loads(shown) == {"a": [{"b\\u202e": '\\u202e\n "\\u202e\\'}], "n": 58.0, "t": True}
    assert '"n": 58.00, "t": true}' in shown


def test_backslashes_before_a_u_are_no_mark() -> None:
    assert json.loads(display.in_json('["\\\\u202e", "\\ud83c\\udf89"]')) == ["\\u202e", "🎉"]


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


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("2026-05-26T16:00", "2026-05-26T16:05", "2026-05-26 16:00 to 16:05 UTC"),
        ("2026-05-26T23:59", "2026-05-27T00:00", "2026-05-26 23:59 to 2026-05-27 00:00 UTC"),
        ("2026-05-26T16:00:10", "2026-05-26T16:01", "2026-05-26 16:00:10 to 16:01:00 UTC"),
    ],
)
def test_range_is_written_out(start: str, end: str, shown: str) -> None:
    assert display.span(datetime.fromisoformat(f"{start}Z"), datetime.fromisoformat(f"{end}Z")) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (100, "100"), (12_345, "12,345"), (1234.5, "1,234.5"), (0.125, "0.12"), (10.0, "10")]
)
def test_number_is_in_groups_of_three(value: float, shown: str) -> None:
    assert display.number(value) == shown


@pytest.mark.parametrize(
    ("part", "shown"),
    [(0, "0 %"), (1, "100 %"), (0.3724, "37.2 %"), (0.5, "50 %"), (0.0001, "< 0.1 %"), (0.9999, "> 99.9 %")],
)
def test_share_is_not_rounded_to_nothing_or_to_all(part: float, shown: str) -> None:
    assert display.share(part) == shown
