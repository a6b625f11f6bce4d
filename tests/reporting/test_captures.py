"""How bytes are shown: as text where they are some, else as a dump, and never more than a page can hold."""

import gzip

import pytest

from reporting import captures


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b'{"a":\t1}\r\n', '{"a":\t1}\r\n'),
        ("ü€".encode(), "ü€"),
        ("ü€".encode()[:-1], "ü"),
        (b"\xff", None),
        (b"a\xffb", None),
        (b"a\x00b", None),
        (b"\x1b[31m", None),
    ],
)
def test_bytes_are_text_or_are_not(data: bytes, text: str | None) -> None:
    assert captures.as_text(data) == text


def test_dump_has_offsets_numbers_and_letters() -> None:
    assert captures.dump(bytes(range(60, 78))).splitlines() == [
        "000000  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK",
        "000010  4c 4d                                            LM",
    ]
    assert captures.dump(b"\x00\x7f\xff").endswith("...")


def test_much_is_cut() -> None:
    text = captures.content(b"a" * (captures.SHOWN_TEXT + 1), 200_000, [])
    assert (text["form"], len(text["shown"]), text["is_cut"]) == ("text", captures.SHOWN_TEXT, True)
    assert (text["size"], text["kept"]) == (200_000, captures.SHOWN_TEXT + 1)
    dump = captures.content(b"\xff" * (captures.SHOWN_DUMP + 1), captures.SHOWN_DUMP + 1, [])
    assert (dump["form"], dump["shown"].count("."), dump["is_cut"]) == ("dump", captures.SHOWN_DUMP, True)


def test_gzip_is_inflated_as_far_as_it_is_shown() -> None:
    bomb = gzip.compress(b"a" * 50_000_000)
    inflated = captures.content(bomb, len(bomb), [["Content-Encoding", "GZIP"]])["inflated"]
    assert (len(inflated["shown"]), inflated["is_cut"]) == (captures.SHOWN_TEXT, True)
    cut = captures.content(gzip.compress(b"whole")[:-9], 1, [["Content-Encoding", "gzip"]])["inflated"]
    assert "whole".startswith(cut["shown"])
    assert captures.content(b"none", 4, [["Content-Encoding", "gzip"]])["inflated"] is None
    assert captures.content(gzip.compress(b"x"), 4, [])["inflated"] is None
