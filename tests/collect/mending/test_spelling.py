"""How operations and paths are spelled, in commands, on pages and in the database."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from collect.mending import operations, paths
from collect.mending.operations import (
    MAX_OPERATIONS,
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
)

names = st.text(min_size=1, max_size=5)
some_paths = st.builds(
    lambda first, rest: (first, *rest), names, st.lists(st.one_of(names, st.just(paths.EACH)), max_size=4)
)


@settings(max_examples=300)
@given(some_paths)
@example(("a.b", paths.EACH, "[]", "\\."))
def test_path_is_read_as_it_is_spelled(path: paths.Path) -> None:
    assert paths.parse(paths.spelled(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[]", "a[", "a[0]", "a]", "a\\", "a[].[]", "x" * 600])
def test_path_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        paths.parse(text)


def test_operations_are_read_as_they_are_written() -> None:
    done: list[Operation] = [
        Set("a.b", Raw(b"1.50")),
        Rename("a[].b", "c.d"),
        Move("a[].b", "a[].c.d"),
        Delete("a"),
        ToNumber("a"),
        ToText("a"),
        ToJson("a"),
        ToSeconds("a"),
        ToMilliseconds("a"),
        Wrap("a"),
        Wrap(),
    ]
    assert operations.read(operations.written(done)) == done
    assert [str(one) for one in done[:3]] == ["set a.b to 1.50", "rename a[].b to c.d", "move a[].b to a[].c.d"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "Expected `array`"),
        ("nonsense", "malformed"),
        ('[{"op":"eval","path":"a"}]', "'eval'"),
        ('[{"path":"a"}]', "op"),
        ('[{"op":"set","path":"a"}]', "value"),
        ('[{"op":"delete","path":"a","more":1}]', "more"),
        ('[{"op":"delete","path":"a."}]', "is no path"),
        ('[{"op":"move","path":"a[].b","to":"c"}]', "have to be the same"),
        ('[{"op":"move","path":"a[]","to":"c"}]', "have to be the same|cannot be moved"),
        ('[{"op":"rename","path":"a","to":"a"}]', "moved to itself"),
        ('[{"op":"rename","path":"a","to":""}]', "renamed to nothing"),
        ('[{"op":"wrap","path":"params"}]', "beside it"),
        ('[{"op":"wrap","path":"a.b"}]', "beside it"),
        ("[" + ",".join(['{"op":"wrap"}'] * (MAX_OPERATIONS + 1)) + "]", "at most 20"),
        (f'[{{"op":"set","path":"a","value":"{"x" * 70_000}"}}]', "bytes at most"),
    ],
)
def test_operations_that_are_none_are_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        operations.read(text)
    with pytest.raises(ValueError, match="is no JSON"):
        Set("a", Raw(b"nope"))
