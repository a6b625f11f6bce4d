"""Places from a City file, and what happens to the file while the server runs."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collect.enrichment import geo
from collect.enrichment.geo import CityFile, Geo
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


def test_file_that_goes_away_or_breaks_leaves_no_stale_place(path: Path) -> None:
    file = CityFile(str(mmdb.write_city(path)))
    assert file.lookup("81.2.69.142").city == "London"
    path.write_bytes(b"broken")
    file.check()
    assert file.lookup("81.2.69.142") == Geo()
    path.unlink()
    file.check()
    assert file.status.error == "no such file"


def test_unusable_values_in_a_record_are_left_out(path: Path) -> None:
    odd = {"country": {"iso_code": "XXL"}, "city": {"names": {"en": "x" * 1000}}, "subdivisions": []}
    file = CityFile(str(mmdb.write_city(path, {"81.2.69.0/24": odd})))
    place = file.lookup("81.2.69.142")
    assert (place.country, place.region, len(place.city or "")) == (None, None, 255)


def test_record_of_another_shape_is_no_place(path: Path) -> None:
    file = CityFile(str(mmdb.write_city(path, {"81.2.69.0/24": {"country": "GB", "city": 7}})))
    assert file.lookup("81.2.69.142") == Geo()


def test_file_is_looked_at_again_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CityFile(str(path))
    file.lookup("81.2.69.142")
    mmdb.write_city(path)
    assert file.lookup("81.2.69.142") == Geo()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + geo.CHECK_SECONDS + 1)
    assert file.lookup("81.2.69.142").city == "London"
