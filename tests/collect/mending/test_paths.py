"""What operations make of arrays has an end: they multiply, and a body is never more than an event may be."""

import tracemalloc

import pytest
from msgspec import Raw

from collect.intake.contract import MAX_BODY_BYTES
from collect.mending.operations import Delete, Operation, Set, ToText, mended
from runtime.refusals import Code, Refusal

MANY = Raw(b"[" + b"0," * 9_000 + b"0]")


def refused(body: bytes, *operations: Operation) -> None:
    with pytest.raises(Refusal, match="more than") as caught:
        mended(body, operations)
    assert caught.value.code == Code.TOO_LARGE


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_arrays_set_into_each_other_are_refused_before_they_fill_the_memory(depth: int) -> None:
    operations = [Set(f"a{'[]' * level}", MANY) for level in range(depth + 1)]
    tracemalloc.start()
    try:
        refused(b'{"a": 1}', *operations)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The second array alone would have 160 MB.
    assert peak < 16 * MAX_BODY_BYTES


def test_fields_made_in_each_element_are_counted() -> None:
    refused(b'{"a": [' + b"{}," * 20_000 + b"{}]}", Set("a[].b", Raw(b'"' + b"x" * 100 + b'"')))
    few = mended(b'{"a": [{}, {}]}', [Set("a[].b", Raw(b'"' + b"x" * 100 + b'"'))])
    assert few == b'{"a":[{"b":"%b"},{"b":"%b"}]}' % (b"x" * 100, b"x" * 100)


def test_arrays_of_one_object_are_counted_together() -> None:
    half = b"[" + b"0," * (MAX_BODY_BYTES // 8) + b"0]"
    body = b'{"a": %b, "b": %b}' % (half, half)
    assert len(body) < MAX_BODY_BYTES
    refused(body, ToText("a[]"), ToText("b[]"))


def test_body_that_came_with_more_may_stay_as_long_and_become_shorter() -> None:
    body = b'{"a": [%b0], "b": "1"}' % (b"0," * MAX_BODY_BYTES)
    assert mended(body, [Set("b", Raw(b"1")), Delete("a")]) == b'{"b":1}'
    refused(body, Set("b", MANY))
