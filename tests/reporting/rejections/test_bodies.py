"""Masked bodies: nothing that a person could be known by, and the form of what was sent."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from reporting.rejections.bodies import MAX_MASKED, masked

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_texts_and_numbers_keep_their_form() -> None:
    body = {
        "event_name": "order_created", "timestamp": "2026-05-26T14:02:10Z", "email": "anna.lee@example.org",
        "params": {"value": 58.25, "n": -1748275200123, "ok": True, "none": None, "list": [[], {}, "Zoë"]},
    }  # fmt: skip
    assert json.loads(masked(json.dumps(body).encode())) == {
        "event_name": "order_created", "timestamp": "9999-99-99x99:99:99x", "email": "xxxx.xxx@xxxxxxx.xxx",
        "params": {"value": 99.99, "n": -9999999999999, "ok": True, "none": None, "list": [[], {}, "xxx"]},
    }  # fmt: skip


def test_event_name_and_keys_that_are_no_plain_words_are_masked() -> None:
    text = masked(b'{"event_name": "Anna Lee", "anna.lee@example.org": 1, "ok_key-1": 2}')
    assert json.loads(text) == {"event_name": "xxxx xxx", "xxxx.xxx@xxxxxxx.xxx": 9, "ok_key-1": 9}


def test_what_is_no_json_is_masked_with_the_literals_that_it_is_refused_for() -> None:
    assert masked(b'{"name": "Anna", "value": NaN, "x": None,') == '{"xxxx": "xxxx", "xxxxx": NaN, "x": None,'
    assert masked(b'{"value": NaN}') == '{\n  "value": NaN\n}'
    assert masked(b"name=Anna&id=7") == "xxxx=xxxx&xx=9"


def test_long_texts_and_bodies_are_cut_and_deep_ones_do_no_harm() -> None:
    assert masked(json.dumps({"a": "b" * 100}).encode()) == '{\n  "a": "' + "x" * 80 + '… (100 characters)"\n}'
    assert len(masked(b"[" + b"1," * 60_000 + b"1]")) == MAX_MASKED + 1
    assert "…" in masked(b"[" * 30 + b"]" * 30)
    assert masked(b"[" * 60_000).startswith("[[[")
    assert masked(b"\xff\xfe{") == "\ufffd\ufffd{"


@given(_JSON)
def test_no_letter_or_digit_of_a_text_is_left(value: object) -> None:
    text = masked(json.dumps({"params": value}, ensure_ascii=False).encode("utf-8", "replace"))
    texts = [re.sub(r"… \(\d+ characters\)$", "", one) for one in _texts(json.loads(text)) if text[-1] != "…"]
    assert not re.search(r"[^\W_x9]", "".join(texts))


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []
