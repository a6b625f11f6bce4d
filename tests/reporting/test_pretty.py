"""JSON as people read it: indented with every digit, unless that would multiply it; and never too long for a page."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import pretty

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_body_is_indented_with_its_numbers_as_sent() -> None:
    assert pretty.indented(b'{"a":1.50,"b":[]}') == '{\n  "a": 1.50,\n  "b": []\n}'
    assert pretty.indented(b'{"a": NaN}') == '{"a": NaN}'
    assert pretty.indented(b"\xff") == "\ufffd"
    assert pretty.indented(b"[" * 5_000) == "[" * 5_000


def _deep(depth: int, inside: bytes) -> bytes:
    return b"[" * depth + inside + b"]" * depth


@pytest.mark.parametrize(
    "body",
    [
        _deep(930, b"0," * 31_800 + b"0"),
        _deep(60, b"0," * 500_000 + b"0"),
        _deep(60, b'{"a":[],"b":{}},' * 20_000 + b"0"),
        b"[" + b'"\\"[[[[",' * 100_000 + b"0]",
    ],
)
def test_what_would_be_long_is_compact(body: bytes) -> None:
    assert pretty.indented(body) == body.decode()
    assert pretty.indented(body.replace(b",", b" ,\n      ")) == body.decode()


def test_brackets_and_commas_in_texts_do_not_count() -> None:
    body = json.dumps({"a": "[{,:" * 40_000, "b": '\\"[' * 5_000, "c": 1})
    assert pretty.indented(body.encode()) == json.dumps(json.loads(body), indent=2)


@given(_JSON, st.integers(0, 300))
def test_text_is_indented_exactly_as_long_as_it_fits(value: object, room: int) -> None:
    whole = json.dumps(value, indent=2, ensure_ascii=False)
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pretty, "SHOWN", room)
        found = pretty.indented(whole.encode())
    assert json.loads(found) == value
    assert len(found.encode()) <= max(room, len(compact.encode()))
    # An empty object or array is counted as two lines, which it is not.
    if "[]" not in compact and "{}" not in compact:
        assert found == (whole if len(whole.encode()) <= room else compact)


def test_page_shows_the_beginning_of_what_is_too_long() -> None:
    assert pretty.cut("a" * pretty.SHOWN) == ("a" * pretty.SHOWN, False)
    assert pretty.cut("a" * (pretty.SHOWN + 1)) == ("a" * pretty.SHOWN, True)
