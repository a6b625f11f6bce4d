"""Distinct clients in bytes: exact where they are few, within the error that is stated where they are many."""

import hashlib
from itertools import pairwise

import pytest

from reporting.rollups import sketches

pytestmark = pytest.mark.once


def hashes(*numbers: int) -> bytes:
    return b"".join(sorted(hashlib.sha256(str(number).encode()).digest()[:8] for number in numbers))


def distinct(*buckets: bytes) -> sketches.Distinct:
    """How many clients stored buckets have together: one with registers is as long as those."""
    few = [bucket for bucket in buckets if len(bucket) != sketches.REGISTERS]
    return sketches.distinct(b"".join(few), [bucket for bucket in buckets if len(bucket) == sketches.REGISTERS])


def test_few_clients_are_exact_and_a_client_of_several_buckets_is_one() -> None:
    buckets = [sketches.packed(hashes(*range(start, start + 200))) for start in (0, 100, 200)]
    assert distinct(*buckets) == sketches.Distinct(400, is_exact=True)
    assert distinct() == sketches.Distinct(0, is_exact=True)


def test_bucket_is_exact_up_to_its_limit() -> None:
    assert distinct(sketches.packed(hashes(*range(256)))).is_exact
    assert not distinct(sketches.packed(hashes(*range(257)))).is_exact
    assert len(sketches.packed(hashes(*range(257)))) == sketches.REGISTERS


@pytest.mark.parametrize("number", [257, 1_000, 5_000, 12_000, 30_000, 100_000])
def test_many_clients_are_right_within_three_standard_errors(number: int) -> None:
    bucket = sketches.packed(hashes(*range(number)))
    found = distinct(bucket).number
    assert abs(found - number) <= 3 * 0.01625 * number


def test_merged_buckets_say_what_one_bucket_of_all_says() -> None:
    borders = [0, 100, 3_000, 20_000]
    parts = [sketches.packed(hashes(*range(start, end))) for start, end in pairwise(borders)]
    assert distinct(*parts) == distinct(sketches.packed(hashes(*range(20_000))))
    assert distinct(*reversed(parts), *parts) == distinct(*parts)


def test_very_many_hashes_are_not_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "COUNTED", 10_000)
    assert distinct(hashes(*range(10_000))) == sketches.Distinct(10_000, is_exact=True)
    found = distinct(hashes(*range(10_001)))
    assert not found.is_exact
    assert abs(found.number - 10_001) <= 500
