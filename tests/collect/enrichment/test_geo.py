"""Places from a City file, and what happens to the file while the server runs."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from collect.enrichment import geo
from collect.enrichment.city import Geo
from collect.enrichment.geo import CityFile
from tests.harness import mmdb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city.mmdb"


def test_lookup_gives_the_place_of_an_address(path: Path) -> None:
    file = CityFile(str(mmdb.write_city(path)))
    assert file.lookup("81.2.69.142") == Geo("GB", "England", "London", 51.5142, -0.0931)
    assert file.lookup("2001:db8::7") == Geo(country="JP")
    assert file.lookup("192.0.2.1") == Geo()
    assert file.lookup(None) == Geo()
    assert file.status.error is None
    assert file.status.built_at is not None


def test_missing_file_is_no_place_and_is_picked_up_when_it_comes(path: Path) -> None:
    file = CityFile(str(path))
    assert file.lookup("81.2.69.142") == Geo()
    assert file.status.error == "no such file"
    mmdb.write_city(path)
    file.check()
    assert file.lookup("81.2.69.142").city == "London"


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("no database at all" * 1000)


def _truncated(path: Path) -> None:
    data = mmdb.write_city(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _asn(path: Path) -> None:
    mmdb.write_city(path, {"8.8.8.0/24": {"autonomous_system_number": 15169}}, "GeoLite2-ASN")


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("broken", [_empty, _text, _truncated, _asn, _directory])
def test_broken_file_is_no_place_and_says_why(
    path: Path, broken: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    broken(path)
    file = CityFile(str(path))
    with caplog.at_level("WARNING"):
        assert file.lookup("81.2.69.142") == Geo()
        file.check()
    assert file.status.error
    assert len(caplog.records) == 1


@pytest.mark.parametrize("how", ["rename", "in place"])
def test_replaced_file_is_read_again(path: Path, how: str) -> None:
    file = CityFile(str(mmdb.write_city(path)))
    assert file.lookup("81.2.69.142").city == "London"
    moved = {"81.2.69.0/24": mmdb.place("FR", "Bretagne", "Brest", 48.39, -4.49)}
    if how == "rename":
        os.replace(mmdb.write_city(path.with_suffix(".new"), moved), path)
    else:
        mmdb.write_city(path, moved)
    file.check()
    assert file.lookup("81.2.69.142").city == "Brest"


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _damaged_key(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"node_count", b"node_cOunt"))


def _damaged_epoch(path: Path) -> None:
    # Eight bytes, of the type that the reader takes: no calendar has such a day. It is the last key of the file.
    before, key, _ = path.read_bytes().partition(b"build_epoch")
    path.write_bytes(before + key + b"\x08\x02" + b"\xff" * 8)


def _zeroed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:600] = bytes(600)
    path.write_bytes(content)


def _ip_version(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"ip_version") + len(b"ip_version") + 1] = 7
    path.write_bytes(content)


def _type(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"GeoLite2-City", b"GeoLite2-City"[::-1]))


DAMAGES = [_empty, _text, _cut, _damaged_key, _damaged_epoch, _zeroed, _ip_version, _type]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_leaves_the_last_good_one_in_use_and_is_named_once(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    file = CityFile(str(mmdb.write_city(path)), clock)
    assert file.lookup("81.2.69.142").city == "London"
    built_at = file.status.built_at
    caplog.clear()
    damage(path)
    with caplog.at_level("WARNING"):
        for _ in range(5):
            clock.seconds += geo.RETRY_SECONDS + 1
            assert file.lookup("81.2.69.142").city == "London"
            assert file.lookup("8.8.8.8").city == "Oakland"
    assert (file.status.state, file.status.built_at) == ("failed", built_at)
    assert file.status.error
    (record,) = caplog.records
    assert record.reason == file.status.error  # type: ignore[attr-defined]
    mmdb.write_city(path, {"81.2.69.0/24": mmdb.OAKLAND})
    clock.seconds += geo.CHECK_SECONDS + 1
    assert file.lookup("81.2.69.142").city == "Oakland"
    assert file.status.error is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_at_the_start_is_no_place_and_says_so(path: Path, damage: Callable[[Path], None]) -> None:
    damage(mmdb.write_city(path))
    file = CityFile(str(path))
    assert file.lookup("81.2.69.142") == Geo()
    assert (file.status.state, file.status.built_at) == ("failed", None)


def test_removed_file_leaves_no_place(path: Path) -> None:
    """Whoever removes it means it: MaxMind's licence ends with the subscription."""
    file = CityFile(str(mmdb.write_city(path)))
    assert file.lookup("81.2.69.142").city == "London"
    path.unlink()
    file.check()
    assert file.lookup("81.2.69.142") == Geo()
    assert (file.status.state, file.status.built_at) == ("missing", None)


def test_file_that_could_not_be_read_is_tried_again_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed for a moment changes nothing of the file."""
    mmdb.write_city(path)
    clock = Clock()
    file = CityFile(str(path), clock)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", _input_output_error)
        assert file.lookup("81.2.69.142") == Geo()
    assert file.status.error == "Input/output error"
    clock.seconds += geo.CHECK_SECONDS + 1
    assert file.lookup("81.2.69.142") == Geo()
    clock.seconds += geo.RETRY_SECONDS
    assert file.lookup("81.2.69.142").city == "London"


def _input_output_error(path: Path) -> bytes:
    raise OSError(errno.EIO, "Input/output error")


def test_damage_that_shows_at_an_address_is_named_once_and_others_are_found(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The name of Oakland is no UTF-8 any more, which only who looks it up finds out.
    content = mmdb.write_city(path).read_bytes()
    path.write_bytes(content.replace(b"Oakland", b"Oak\xffand"))
    file = CityFile(str(path))
    assert file.lookup("81.2.69.142").city == "London"
    assert file.status.error is None
    caplog.clear()
    with caplog.at_level("WARNING"):
        assert [file.lookup(f"8.8.8.{last}") for last in range(5)] == [Geo()] * 5
        file.check()
        assert file.lookup("81.2.69.142").city == "London"
    assert len(caplog.records) == 1
    assert file.status.state == "failed"
    assert file.status.built_at is not None
    assert "UnicodeDecodeError" in (file.status.error or "")


def test_file_is_looked_at_again_after_a_while(path: Path) -> None:
    clock = Clock()
    file = CityFile(str(path), clock)
    file.lookup("81.2.69.142")
    mmdb.write_city(path)
    assert file.lookup("81.2.69.142") == Geo()
    clock.seconds += geo.CHECK_SECONDS + 1
    assert file.lookup("81.2.69.142").city == "London"
