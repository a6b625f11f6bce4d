"""The operations that mend a body, held to a small model that works on Python's own values."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Raw

from collect.mending import operations, paths
from collect.mending.operations import (
    Delete,
    Move,
    Operation,
    Rename,
    Set,
    ToJson,
    ToMilliseconds,
    ToNumber,
    ToSeconds,
    ToText,
    Wrap,
    mended,
)

NAMES = ("a", "b", "params", "event_name", "x.y", "[]", "\\", "é")
# Digits that a float would lose.
NUMBERS = ("1.50", "-0", "12345678901234567890123", "0.10000000000000000000001", "1E2", "1748275200123", "0", "7e-3")
thorough = settings(max_examples=300)


# --- the model ---


class Token(str):
    """A number, as it was sent."""


def read(body: bytes) -> Any:
    return json.loads(body, parse_int=Token, parse_float=Token)


def written(value: Any) -> bytes:
    if isinstance(value, Token):
        return value.encode()
    if isinstance(value, dict):
        fields = (json.dumps(name).encode() + b" : " + written(inner) for name, inner in value.items())
        return b"{ " + b", ".join(fields) + b"}"
    if isinstance(value, list):
        return b"[" + b" ,".join(map(written, value)) + b"]"
    return json.dumps(value).encode()


def places(value: Any, path: list[str]) -> Iterator[tuple[Any, Any]]:
    """The containers that the path leads to, each with the name or index that the path ends in."""
    head, *rest = path
    if head == "*":
        keys: list[Any] = list(range(len(value))) if isinstance(value, list) else []
    else:
        keys = [head] if isinstance(value, dict) else []
    for key in keys:
        if not rest:
            yield value, key
        elif isinstance(value, list) or key in value:
            yield from places(value[key], rest)


def at_each(body: Any, path: list[str], change: Callable[[Any], Any]) -> None:
    for holder, key in list(places(body, path)):
        if isinstance(holder, list) or key in holder:
            holder[key] = change(holder[key])


def put(value: Any, path: list[str], new: Any) -> bool:
    """Make the value be at a path of names; tell whether the way was free."""
    *way, last = path
    for name in way:
        if not isinstance(value, dict):
            return False
        if value.get(name) is None:
            value[name] = {}
        value = value[name]
    if not isinstance(value, dict):
        return False
    value[last] = new
    return True


def spelled(path: list[str]) -> str:
    return paths.spelled([paths.EACH if name == "*" else name for name in path])


# --- bodies and paths ---

scalars: SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS).map(Token), st.sampled_from(("", "1.50", "text", "[1]", "1e5"))
)
values: SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)
anywhere = st.builds(
    lambda first, rest: [first, *rest],
    st.sampled_from(NAMES),
    st.lists(st.sampled_from((*NAMES, "*", "*")), max_size=3),
)


def result(body: Any, *done: Operation) -> Any:
    return read(mended(written(body), done))


def shifted(digits: int) -> Callable[[Any], Any]:
    def shift(value: Any) -> Any:
        return Decimal(value).scaleb(digits) if isinstance(value, Token) else value

    return shift


def by_value(value: Any) -> Any:
    """Numbers by their value, for what is not kept digit by digit."""
    if isinstance(value, dict):
        return {name: by_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [by_value(inner) for inner in value]
    return Decimal(value) if isinstance(value, Token | Decimal) else value


# --- the operations ---


@thorough
@given(bodies, anywhere, values)
def test_delete_and_set_of_what_is_there(body: Any, path: list[str], value: Any) -> None:
    expected = deepcopy(body)
    at_each(expected, path, lambda _: deepcopy(value))
    if "*" not in path and path[:-1]:
        put(expected, path, deepcopy(value))
    for holder, key in list(places(expected, path)):
        holder[key] = deepcopy(value)
    if "*" not in path or list(places(body, path)):
        assert result(body, Set(spelled(path), Raw(written(value)))) == expected
    gone = deepcopy(body)
    for holder, key in reversed(list(places(gone, path))):
        holder.pop(key, None) if isinstance(holder, dict) else holder.pop(key)
    assert result(body, Delete(spelled(path))) == gone


@thorough
@given(bodies, names, names)
def test_move_is_taking_out_and_putting_in(body: Any, path: list[str], to: list[str]) -> None:
    if path == to:
        with pytest.raises(ValueError, match="moved to itself"):
            Move(spelled(path), spelled(to))
        return
    expected = deepcopy(body)
    ((holder, key),) = list(places(expected, path)) or [({}, "")]
    if key not in holder or not put(expected, to, holder.pop(key)):
        expected = body
    assert result(body, Move(spelled(path), spelled(to))) == expected


@thorough
@given(bodies, anywhere.filter(lambda path: path[-1] != "*"), st.sampled_from(NAMES))
def test_rename_stays_in_its_object(body: Any, path: list[str], to: str) -> None:
    if path[-1] == to:
        return
    expected = deepcopy(body)
    for holder, key in list(places(expected, path)):
        if key in holder:
            holder[to] = holder.pop(key)
    assert result(body, Rename(spelled(path), to)) == expected


@thorough
@given(bodies, anywhere)
def test_units_are_exact_and_there_and_back_is_the_same(body: Any, path: list[str]) -> None:
    expected = deepcopy(body)
    at_each(expected, path, shifted(-3))
    assert by_value(result(body, ToSeconds(spelled(path)))) == by_value(expected)
    there_and_back = result(body, ToSeconds(spelled(path)), ToMilliseconds(spelled(path)))
    assert by_value(there_and_back) == by_value(body)


@thorough
@given(bodies, anywhere)
def test_text_and_number_keep_every_digit(body: Any, path: list[str]) -> None:
    as_text = deepcopy(body)
    at_each(as_text, path, lambda value: str(value) if isinstance(value, Token) else _plain(value))
    assert result(body, ToText(spelled(path))) == as_text
    as_number = deepcopy(body)
    texts = {"1.50": Token("1.50"), "1e5": Token("1e5")}
    at_each(as_number, path, lambda value: texts.get(value, value) if type(value) is str else value)
    found = result(body, ToNumber(spelled(path)))
    assert found == as_number
    assert [type(one) for one in leaves(found)] == [type(one) for one in leaves(as_number)]


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool) else value


def leaves(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        yield value
    else:
        for one in inner:
            yield from leaves(one)


@thorough
@given(bodies)
def test_wrap_takes_what_the_contract_does_not_know(body: Any) -> None:
    expected = deepcopy(body)
    params = expected.get("params")
    unknown = [name for name in expected if name not in {"params", "event_name"}]
    if unknown and params is None:
        params = expected["params"] = {}
    if isinstance(params, dict):
        for name in unknown:
            if name not in params:
                params[name] = expected.pop(name)
    assert result(body, Wrap()) == expected


def test_wrap_writes_the_body_once_however_many_fields_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Mock(wraps=msgspec.json.encode)
    monkeypatch.setattr(msgspec.json, "encode", encode)
    body = written({f"f{number}": Token("1.50") for number in range(2_000)})
    wrapped = read(mended(body, [Wrap()]))
    assert list(wrapped) == ["params"]
    assert len(wrapped["params"]) == 2_000
    assert encode.call_count < 10


@thorough
@given(st.one_of(values.map(written), st.binary(max_size=30)), anywhere)
@example(b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", ["a"])
@example(b'{"a": 1} {', ["a"])
@example(b'{"a": \xff}', ["a"])
@example(b'{"a": "\\ud800"', ["a"])
def test_what_is_no_object_stays_as_it_is(body: bytes, path: list[str]) -> None:
    try:
        is_object = isinstance(json.loads(body), dict)
    except ValueError:
        is_object = False
    at = spelled(path)
    done = [Set(at, Raw(b"1")), Delete(at), ToText(at), ToNumber(at), ToJson(at), ToSeconds(at), Wrap()]
    deep = body.count(b"[") > 64
    for operation in done:
        if deep or not is_object:
            assert mended(body, [operation]) == body


def test_nothing_to_do_leaves_every_byte() -> None:
    body = b' {"a" : 1.50, "a": "twice", "b": {"c":  [ ]} }\n'
    for text in (
        '{"op":"rename","path":"x","to":"y"}',
        '{"op":"set","path":"b.c[].d","value":1}',
        '{"op":"set","path":"a.d","value":1}',
        '{"op":"delete","path":"b.d"}',
        '{"op":"number","path":"a"}',
        '{"op":"text","path":"b"}',
        '{"op":"move","path":"b.c","to":"a.c"}',
    ):
        (operation,) = operations.read(f"[{text}]")
        assert mended(body, [operation]) == body, text
    assert mended(body, []) == body


def test_what_is_not_on_the_path_keeps_its_bytes() -> None:
    body = rb'{"event": "x\u00e9", "params": {"v": 58.00, "big": 12345678901234567890123, "t" : "\u0041"}, "n":1E2}'
    assert mended(body, [Rename("event", "event_name")]) == (
        rb'{"event_name":"x\u00e9","params":{"v": 58.00, "big": 12345678901234567890123, "t" : "\u0041"},"n":1E2}'
    )


def test_number_that_would_fill_the_memory_stays() -> None:
    assert mended(b'{"t": "1e999999999"}', [ToNumber("t"), ToSeconds("t")])[:30] == b'{"t": "1e999999999"}'
