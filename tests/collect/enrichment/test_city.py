"""City databases that are damaged, and records that no column can hold: they cost a place, never an event."""

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from maxminddb.reader import Metadata

from collect.enrichment import city
from collect.enrichment.city import UNKNOWN, CityError, Geo
from collect.enrichment.geo import CityFile
from collect.models import Event
from collect.storage import store
from collect.storage.outcomes import Outcome
from tests.harness import factories, mmdb

LONDON = "81.2.69.142"
MUTATIONS = 1_000
WIDE = {
    f"{first}.{second}.0.0/16": mmdb.place("GB", f"County {first}", f"Tøwn {second}", first / 3, second / 2)
    for first in (1, 8, 81, 127, 200)
    for second in range(0, 160, 32)
}
ADDRESSES = [network.removesuffix("/16") for network in WIDE]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city.mmdb"


def mutated(good: bytes, start: int) -> Iterator[bytes]:
    """The file with one to four bytes from `start` on changed, the same ones in each run."""
    chance = random.Random(14)
    for _ in range(MUTATIONS):
        content = bytearray(good)
        for _ in range(chance.choice((1, 1, 1, 4))):
            content[chance.randrange(start, len(content))] = chance.randrange(256)
        yield bytes(content)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", ["metadata", "all of it"])
def test_no_mutation_of_a_file_costs_an_event(path: Path, part: str) -> None:
    good = mmdb.write_city(path, WIDE).read_bytes()
    start = good.rindex(b"MaxMind.com") if part == "metadata" else 0
    found: set[Geo] = set()
    states = {"ok": 0, "missing": 0, "failed": 0}
    for content in mutated(good, start):
        path.write_bytes(content)
        file = CityFile(str(path))
        found |= {file.lookup(address) for address in ADDRESSES}
        states[file.status.state] += 1
    # The seed is fixed: a good part is found out, and a good part does no harm, such as a letter in a description.
    assert states["failed"] > 200
    assert states["missing"] == 0
    source = factories.source(factories.key()[0])
    arrivals = [factories.arrival(msgspec.structs.replace(source, geo=place)) for place in found]
    assert {written.outcome for written in store.write(arrivals)} == {Outcome.STORED}
    assert Event.objects.count() == len(found)


def test_verify_reads_all_that_look_ups_could_meet(path: Path) -> None:
    """Of each mutated file either `read` or `verify` says that it is damaged, or every address has an answer."""
    good = mmdb.write_city(path, WIDE).read_bytes()
    refused = 0
    for content in mutated(good, 0):
        path.write_bytes(content)
        try:
            found = city.read(path)
            found.verify()
        except CityError:
            refused += 1
        else:
            assert all(isinstance(found.find(address), Geo) for address in ADDRESSES)
    assert 200 < refused < MUTATIONS


@pytest.mark.parametrize(
    ("bits", "node", "sides"),
    # The layout of nodes of 28 bits is the one of the specification: the middle byte has the high bits of both.
    [
        (24, "ABCDEF 123456", (0xABCDEF, 0x123456)),
        (28, "BCDEF1 A1 234567", (0xABCDEF1, 0x1234567)),
        (32, "ABCDEF12 34567890", (0xABCDEF12, 0x34567890)),
    ],
)
def test_verify_knows_all_sizes_of_nodes(bits: int, node: str, sides: tuple[int, int]) -> None:
    metadata = Metadata(
        binary_format_major_version=2, binary_format_minor_version=0, build_epoch=0, database_type="City",
        description={}, ip_version=6, languages=[], node_count=1, record_size=bits,
    )  # fmt: skip
    assert city._sides(bytes.fromhex(node), 0, metadata) == sides


def test_block_of_zeros_in_the_tree_is_found_by_verify(path: Path) -> None:
    content = bytearray(mmdb.write_city(path, WIDE).read_bytes())
    content[600:660] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(CityError, match="leads nowhere"):
        city.read(path).verify()


def record(**parts: Any) -> dict[str, Any]:
    return {**mmdb.LONDON, **parts}


def named(name: Any) -> dict[str, Any]:
    return {"names": {"en": name}}


ODD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "latitude is a text": (record(location={"latitude": "", "longitude": 1.5}), {"lat": None, "lon": None}),
    "longitude is missing": (record(location={"latitude": 1.5}), {"lat": None, "lon": None}),
    "latitude is infinite": (
        record(location={"latitude": float("inf"), "longitude": 1.5}),
        {"lat": None, "lon": None},
    ),
    "longitude is not a number": (
        record(location={"latitude": 1.5, "longitude": float("nan")}),
        {"lat": None, "lon": None},
    ),
    "latitude is out of range": (record(location={"latitude": 90.5, "longitude": 1.5}), {"lat": None, "lon": None}),
    "longitude is out of range": (
        record(location={"latitude": 1.5, "longitude": -180.5}),
        {"lat": None, "lon": None},
    ),
    "latitude is a truth": (record(location={"latitude": True, "longitude": 1.5}), {"lat": None, "lon": None}),
    "latitude is huge": (record(location={"latitude": 2**100, "longitude": 1.5}), {"lat": None, "lon": None}),
    "degrees are whole": (record(location={"latitude": 51, "longitude": -1}), {"lat": 51.0, "lon": -1.0}),
    "code is a number": (record(country={"iso_code": 826}), {"country": None}),
    "code is too long": (record(country={"iso_code": "GBR"}), {"country": None}),
    "code has a NUL": (record(country={"iso_code": "G\0"}), {"country": None}),
    "code is no letters": (record(country={"iso_code": "--"}), {"country": None}),
    "code is in small letters": (record(country={"iso_code": "gb"}), {"country": "GB"}),
    "names are a list": (record(city={"names": ["London"]}), {"city": None}),
    "name is a list": (record(city=named(["London"])), {"city": None}),
    "name is a number": (record(city=named(7)), {"city": None}),
    "name is empty": (record(city=named("")), {"city": None}),
    "name has a NUL": (record(city=named("Lon\0don")), {"city": None}),
    "name is longer than its column": (record(city=named("x" * 256)), {"city": None}),
    "name is as long as its column": (record(city=named("x" * 255)), {"city": "x" * 255}),
    "name is in another language only": (record(city={"names": {"de": "London"}}), {"city": None}),
    "subdivisions are none": (record(subdivisions=[]), {"region": None}),
    "subdivisions are two": (record(subdivisions=[named("England"), named("Kent")]), {"region": "Kent"}),
}
# What geoip2 makes no model of.
TORN: dict[str, dict[str, Any]] = {
    "location is a text": record(location="51.5,-0.1"),
    "country is a text": record(country="GB"),
    "country is a number": record(country=826),
    "subdivisions are a map": record(subdivisions={"names": {"en": "England"}}),
    "subdivision is a text": record(subdivisions=["England"]),
}
KNOWN: dict[str, Any] = {"country": "GB", "region": "England", "city": "London", "lat": 51.5142, "lon": -0.0931}


@pytest.mark.django_db
@pytest.mark.parametrize("case", ODD)
def test_value_that_a_column_cannot_hold_is_null_and_the_event_is_stored(path: Path, case: str) -> None:
    odd, expected = ODD[case]
    file = CityFile(str(mmdb.write_city(path, {"81.2.69.0/24": odd})))
    place = file.lookup(LONDON)
    assert place == Geo(**{**KNOWN, **expected})
    assert file.status.error is None
    source = factories.source(factories.key()[0], geo=place)
    (written,) = store.write([factories.arrival(source)])
    assert written.outcome == Outcome.STORED
    names = ("geo_country", "geo_region", "geo_city", "geo_lat", "geo_lon")
    assert Event.objects.values_list(*names).get() == (place.country, place.region, place.city, place.lat, place.lon)


@pytest.mark.django_db
@pytest.mark.parametrize("case", TORN)
def test_record_that_is_torn_is_no_place_and_the_event_is_stored(path: Path, case: str) -> None:
    file = CityFile(str(mmdb.write_city(path, {"81.2.69.0/24": TORN[case], "81.2.70.0/24": mmdb.LONDON})))
    place = file.lookup(LONDON)
    assert place == UNKNOWN
    assert "damaged" in (file.status.error or "")
    assert file.lookup("81.2.70.1") == Geo(**KNOWN)
    (written,) = store.write([factories.arrival(factories.source(factories.key()[0], geo=place))])
    assert written.outcome == Outcome.STORED


def test_address_that_the_file_has_no_tree_for_is_unknown_and_no_damage(path: Path) -> None:
    mmdb.write_city(path, {"81.2.69.0/24": mmdb.LONDON}, ip_version=4)
    found = city.read(path)
    assert (found.find(LONDON).city, found.find("2001:db8::7"), found.find("nonsense")) == ("London", UNKNOWN, UNKNOWN)


def test_what_is_not_a_file_or_has_no_end_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CityError, match="not a file"):
        city.read("/dev/zero")
    mmdb.write_city(path)
    monkeypatch.setattr(city, "MAX_BYTES", 100)
    with pytest.raises(CityError, match="larger than 100 bytes"):
        city.read(path)


def test_messages_of_the_reader_name_no_python_type(path: Path) -> None:
    content = mmdb.write_city(path).read_bytes()
    path.write_bytes(content[-400:])
    with pytest.raises(CityError) as caught:
        city.read(path)
    assert "class" not in str(caught.value)
    assert io.BytesIO.__name__ not in str(caught.value)
