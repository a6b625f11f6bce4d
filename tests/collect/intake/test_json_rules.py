"""The text rule, the depth and the numbers, on the bytes."""

import contextlib
import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collect.intake import json_rules
from runtime.refusals import Code, Refusal


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"\ud800"', "\ufffd"),
        (rb'"\udc00\ud800"', "\ufffd\ufffd"),
        (rb'"\uD83D\uDE00"', "\U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\\u0000"', r"\u0000"),
        (rb'"\\\u0000"', "\\\ufffd"),
        (rb'"\\\\ud800"', r"\\ud800"),
        (rb'"\n\"\/\u00e9"', '\n"/\u00e9'),
        ('"é😀"'.encode(), "é😀"),
    ],
)
def test_text_replaces_only_nul_and_lone_surrogates(sent: bytes, kept: str) -> None:
    assert json.loads(json_rules.clean(sent)) == kept


def test_text_rule_holds_for_keys_and_nested_values() -> None:
    body = rb'{"k\u0000": [{"\udfff": "\u0000"}]}'
    assert json.loads(json_rules.clean(body)) == {"k\ufffd": [{"\ufffd": "\ufffd"}]}


@pytest.mark.parametrize("body", [b'"\xff"', b'"\xed\xa0\x80"', '{"a":1}'.encode("utf-16"), b'"\xc3'])
def test_text_that_is_not_utf8_is_refused(body: bytes) -> None:
    if body.startswith(b"\xff\xfe"):
        assert_refused(body)
    else:
        assert "UTF-8" in assert_refused(body)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_of_64_is_accepted_and_65_is_not(opening: bytes, closing: bytes) -> None:
    def nested(depth: int) -> bytes:
        return opening * depth + b"1" + closing * depth

    assert json_rules.clean(nested(64)) == nested(64)
    for depth in (65, 2_000, 100_000):
        assert "64" in assert_refused(nested(depth))


def test_depth_ignores_brackets_in_strings_and_counts_levels_not_brackets() -> None:
    wide = json.dumps({"text": "[" * 500 + '"{' * 100, "list": [[]] * 500, "escaped": '\\"[[['}).encode()
    assert json_rules.clean(wide) == wide


def test_depth_of_an_unfinished_body_is_refused_too() -> None:
    assert_refused(b"[" * 100_000)
    assert_refused(b'{"a":' * 100)


@pytest.mark.parametrize(
    "number",
    [b"1e400", b"-1e400", b"1E+309", b"9" * 310 + b".0", b"1e99999999999", b"1e-20000", b"1.5e-1001"],
)
def test_number_out_of_range_is_refused(number: bytes) -> None:
    assert "out of range" in assert_refused(b'{"a": [' + number + b"]}")


@pytest.mark.parametrize(
    "number", [b"9" * 5_000, b"9" * 16_000, b"1e308", b"1e-400", b"18446744073709551616", b"0e999"]
)
def test_number_that_can_be_kept_is_left_as_sent(number: bytes) -> None:
    body = b'{"a":' + number + b"}"
    assert json_rules.clean(body) == body


def test_number_longer_than_a_database_keeps_is_refused() -> None:
    assert "16000 characters" in assert_refused(b'{"a":' + b"9" * 16_001 + b"}")
    assert "16000 characters" in assert_refused(b'{"a":0.' + b"9" * 16_000 + b"}")


def test_number_in_a_string_is_text() -> None:
    body = b'{"a":"1e400 ' + b"9" * 20_000 + b'"}'
    assert json_rules.clean(body) == body


@pytest.mark.parametrize(
    "piece",
    [b'\\"', b'"\\', b"[]", b"9" * 199 + b" ", b"\\u0000", b"1e400,", b"{[", b'"[', b"1e1"],
)
def test_clean_grows_with_the_body_and_not_with_its_square(piece: bytes) -> None:
    """Bodies built against the expressions: eight times the body may not take 64 times as long."""
    small, large = piece * (32_768 // len(piece)), piece * (262_144 // len(piece))
    assert _seconds(large) < 30 * max(_seconds(small), 0.001)


def _seconds(body: bytes) -> float:
    best = 1e9
    for _ in range(3):
        start = process_time()
        with contextlib.suppress(Refusal):
            json_rules.clean(body)
        best = min(best, process_time() - start)
    return best


def assert_refused(body: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        json_rules.clean(body)
    assert caught.value.code is Code.INVALID_JSON
    return caught.value.detail


ODD = [
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\\ud83d\\ude00"',
    b'"\xff"',
    b"1e999",
    b"1e-2000",
    b"[" + b"1" * 300 + b"]",
    b"9" * 17_000,
]
USUAL = [b'{"a":1}', b'"\xc3\xa9"', b'"Mobile/15E148"', b"[1.5,-2e10]", b'"C:\\\\x"', b"", b"[" * 40 + b"]" * 40]


@pytest.mark.parametrize("odd", ODD)
def test_text_with_one_odd_part_is_not_clean(odd: bytes) -> None:
    assert not json_rules.is_clean(b"\n".join([*USUAL, odd, *USUAL]))


@given(st.lists(st.one_of(st.sampled_from([*ODD, *USUAL]), st.binary(max_size=8)), max_size=6))
def test_part_of_a_clean_text_is_left_as_it_is(parts: list[bytes]) -> None:
    if json_rules.is_clean(b"\n".join(parts)):
        assert [json_rules.clean(part) for part in parts] == parts


def test_clean_text_may_have_a_part_that_is_too_deep() -> None:
    deep = b"[" * 65 + b"]" * 65
    assert json_rules.is_clean(deep)
    with pytest.raises(Refusal):
        json_rules.check_depth(deep)
