"""A JSON array or object, cut by its commas, whatever is wrong in its pieces."""

import json
from itertools import islice
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collect.intake.pieces import member, pieces

TEXT = st.text(alphabet=st.characters() | st.sampled_from('"\\,[]{}'))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
# Not one of them is JSON, but the strings and brackets in each are closed.
BROKEN = [
    b"NaN", b"-", b"01", b"{'a':1}", b'{"a" 1}', b'{"a":1,}', b'"\xff"', b'"\x00"', rb'"\x"', rb'{"\ud800":"\udc00"}',
    b"[" * 5_000 + b"]" * 5_000, b'{"a":[1,{"b":' * 3_000 + b"0" + b"}]}" * 3_000, b'{"a":]', b"\xef\xbb\xbf{}",
]  # fmt: skip


@given(st.lists(ANY_JSON, min_size=1, max_size=6), st.sampled_from(["", " ", "\n  "]))
def test_items_of_any_array_are_cut_apart(items: list[Any], blank: str) -> None:
    sent = [json.dumps(item).encode() for item in items]
    text = b"[" + b",".join(blank.encode() + item + blank.encode() for item in sent) + b"]" + blank.encode()
    assert [piece.strip() for piece in pieces(text)] == sent


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_piece_leaves_the_others_whole(broken: bytes) -> None:
    others = [rb'{"a":"]},[\"{\\"}', b"[[1,2],[3]]", b'""', b"-1.5e3"]
    for place in range(5):
        sent = [*others[:place], broken, *others[place:]]
        assert list(pieces(b"[" + b",".join(sent) + b"]")) == sent


def test_pieces_of_nothing_is_one_blank() -> None:
    assert list(pieces(b"[ ]")) == [b" "]
    assert list(pieces(b"{}")) == [b""]
    assert list(pieces(b"[1,,2,]")) == [b"1", b"", b"2", b""]


@pytest.mark.parametrize(
    "text", [b"[", b"[1", b"[1,", b'["', b'["]', b"[1]]", b"[1] 2", b"[1}", b"{1]", b"[[1]", b'["\\"]']
)
def test_text_that_does_not_end_where_its_brackets_do_is_no_array(text: bytes) -> None:
    with pytest.raises(ValueError, match="no closed"):
        list(pieces(text))


def test_pieces_come_one_by_one() -> None:
    """Whoever has seen enough of them need not wait for the end, nor keep them all."""
    assert list(islice(pieces(b"[1,2,3"), 2)) == [b"1", b"2"]


def test_member_is_the_last_of_its_name() -> None:
    text = rb'{"\ud800": NaN, "events" : [1], "x": {"events": 2}, "events": [ 3 ] }'
    assert member(text, b"events") == b" [ 3 ] "
    assert member(text, b"other") is None
    for broken in (b'{"events":[1], 2}', b'{"a":1,}', b"{events:[1]}"):
        with pytest.raises(ValueError, match="no name"):
            member(broken, b"events")


@pytest.mark.parametrize("piece", [b"[a", b'["', b'"[', b"[[]],", b'\\"', b'"\\', b"[]", b'[""', b"[1,[],", b"{,"])
def test_cutting_grows_with_the_text_and_not_with_its_square(piece: bytes) -> None:
    """Texts built against the expressions: eight times the text may not take 64 times as long."""
    small, large = b"[" + piece * (32_768 // len(piece)), b"[" + piece * (262_144 // len(piece))
    assert _seconds(large) < 30 * max(_seconds(small), 0.001)


def _seconds(text: bytes) -> float:
    best = 1e9
    for _ in range(3):
        start = process_time()
        try:
            for _ in pieces(text):
                pass
        except ValueError:
            pass
        best = min(best, process_time() - start)
    return best
