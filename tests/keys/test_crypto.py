"""keys.crypto: the shape of a key."""

import hashlib
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest

from keys import crypto


def decode(text: str) -> int:
    number = 0
    for character in text:
        number = number * 62 + crypto.ALPHABET.index(character)
    return number


@pytest.mark.parametrize(("is_test", "start"), [(False, "thrad_live_"), (True, "thrad_test_")])
def test_make_has_the_shape_of_the_contract(is_test: bool, start: str) -> None:
    raw_key = crypto.make(is_test=is_test)
    public_id, rest = raw_key.removeprefix(start).split("_")
    assert raw_key.startswith(start)
    assert (len(public_id), len(rest)) == (12, 43 + 6)
    assert (public_id + rest).isalnum()
    assert decode(rest[:43]) < 2**256
    assert decode(rest[43:]) == zlib.crc32(raw_key[:-6].encode())


def test_make_never_repeats_itself() -> None:
    keys = [crypto.make(is_test=False) for _ in range(200)]
    assert len({key[-49:-6] for key in keys}) == 200
    assert len({crypto.prefix_of(key) for key in keys}) == 200


@pytest.mark.parametrize("random_bytes", [bytes(32), b"\xff" * 32])
def test_make_keeps_its_width_at_the_ends_of_the_range(monkeypatch: pytest.MonkeyPatch, random_bytes: bytes) -> None:
    monkeypatch.setattr("secrets.token_bytes", lambda size: random_bytes[:size])
    raw_key = crypto.make(is_test=False)
    assert len(raw_key) == 23 + 1 + 43 + 6
    assert decode(raw_key[24:67]) == int.from_bytes(random_bytes)
    assert crypto.parse(raw_key) == raw_key[:23]


def test_parse_gives_the_prefix_up_to_the_last_underscore() -> None:
    raw_key = crypto.make(is_test=True)
    assert crypto.parse(raw_key) == raw_key[: raw_key.rindex("_")]


def test_parse_refuses_every_single_wrong_character() -> None:
    raw_key = crypto.make(is_test=False)
    for position, character in enumerate(raw_key):
        other = "x" if character != "x" else "y"
        assert crypto.parse(raw_key[:position] + other + raw_key[position + 1 :]) is None, position


def test_parse_refuses_swapped_neighbours() -> None:
    raw_key = crypto.make(is_test=False)
    for position, (a, b) in enumerate(pairwise(raw_key)):
        if a != b:
            assert crypto.parse(raw_key[:position] + b + a + raw_key[position + 2 :]) is None, position


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw_key: "",
        lambda raw_key: "x",
        lambda raw_key: raw_key + "\n",
        lambda raw_key: " " + raw_key,
        lambda raw_key: raw_key[:-1],
        lambda raw_key: raw_key + "0",
        lambda raw_key: raw_key + "\0",
        lambda raw_key: raw_key.upper(),
        lambda raw_key: raw_key.replace("_", "-"),
        lambda raw_key: raw_key.replace("live", "prod"),
        crypto.prefix_of,
        lambda raw_key: raw_key[:30] + "\u0663" + raw_key[31:],
        lambda raw_key: raw_key[:30] + "é" + raw_key[31:],
        lambda raw_key: raw_key * 120,
        lambda raw_key: "a" * 8192,
    ],
)
def test_parse_refuses_what_is_no_key(spoil: Callable[[str], str]) -> None:
    assert crypto.parse(spoil(crypto.make(is_test=False))) is None


def test_digest_is_sha256_of_the_whole_key() -> None:
    raw_key = crypto.make(is_test=False)
    assert crypto.digest(raw_key) == hashlib.sha256(raw_key.encode()).hexdigest()


def test_matches_only_the_digest_of_the_same_key() -> None:
    raw_key, other = crypto.make(is_test=False), crypto.make(is_test=False)
    assert crypto.matches(raw_key, crypto.digest(raw_key))
    assert not crypto.matches(raw_key, crypto.digest(other))
    assert not crypto.matches(raw_key, "")


@pytest.mark.parametrize("mark", ["…", "[removed]"])
def test_masked_text_has_the_prefix_alone(mark: str) -> None:
    raw_key = crypto.make(is_test=False)
    prefix, secret = crypto.prefix_of(raw_key), raw_key.rpartition("_")[2]
    spelled = (
        raw_key,
        raw_key[:40],
        raw_key.replace("_", "%5F"),
        raw_key.replace("_", "%255f"),
        "".join(f"%{ord(character):02x}" for character in raw_key),
    )
    for one in spelled:
        assert crypto.masked(f"/a%20b?k={one}&c=%2F", mark) == f"/a%20b?k={prefix}_{mark}&c=%2F"
    assert secret not in crypto.masked(" ".join(spelled), mark)


@pytest.mark.parametrize("text", ["", "svc/1 (%5F%41%)", "thrad_live_4fKq0Zr7TnUe", "100 %"])
def test_text_without_a_key_is_not_changed(text: str) -> None:
    assert crypto.masked(text) == text
