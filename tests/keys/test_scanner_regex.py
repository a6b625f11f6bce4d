"""The expression of docs/security.md by which a secret scanner finds keys: it is the shape that the code has."""

import re
from collections.abc import Callable

import pytest

from keys import crypto
from tests.harness.server import ROOT
from tests.harness.values import some

TEXT = (ROOT / "docs" / "security.md").read_text()
SCANNER = re.compile(some(re.search(r"^    (\\b.*thrad.*)$", TEXT, re.MULTILINE))[1])


def test_scanner_has_the_shape_of_the_code() -> None:
    assert SCANNER.pattern == rf"\b{crypto.SHAPE.pattern}\b"


@pytest.mark.parametrize("is_test", [False, True])
@pytest.mark.parametrize(
    "around", ["{}", "Authorization: Bearer {}\n", 'KEY="{}"', "https://x.example/?k={}&b=1", "a,{},b"]
)
def test_scanner_finds_issued_keys(is_test: bool, around: str) -> None:
    for _ in range(50):
        raw_key = crypto.make(is_test=is_test)
        assert SCANNER.findall(around.format(raw_key)) == [raw_key]


@pytest.mark.parametrize(
    "spoil",
    [
        crypto.prefix_of,
        lambda raw_key: raw_key[:-1],
        lambda raw_key: raw_key + "x",
        lambda raw_key: raw_key + "_x",
        lambda raw_key: "x" + raw_key,
        lambda raw_key: raw_key.replace("thrad", "thrae"),
        lambda raw_key: raw_key.replace("_live_", "_prod_"),
        lambda raw_key: raw_key.replace("_", "-"),
        lambda raw_key: raw_key[:40] + "-" + raw_key[41:],
        lambda raw_key: raw_key[:40] + "é" + raw_key[41:],
    ],
)
def test_scanner_leaves_near_misses(spoil: Callable[[str], str]) -> None:
    assert SCANNER.search(spoil(crypto.make(is_test=False))) is None


def test_what_the_scanner_finds_is_certain_by_its_crc() -> None:
    raw_key = crypto.make(is_test=False)
    mistyped = raw_key[:-1] + ("0" if raw_key[-1] != "0" else "1")
    assert SCANNER.fullmatch(mistyped)
    assert (crypto.parse(raw_key), crypto.parse(mistyped)) == (crypto.prefix_of(raw_key), None)
