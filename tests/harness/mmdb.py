"""Small City databases in MaxMind's format, for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def place(country: str, region: str, city: str, lat: float, lon: float) -> dict[str, Any]:
    return {
        "country": {"iso_code": country, "names": {"en": country}},
        "subdivisions": [{"names": {"en": region}}],
        "city": {"names": {"en": city}},
        "location": {"latitude": lat, "longitude": lon},
    }


LONDON = place("GB", "England", "London", 51.5142, -0.0931)
OAKLAND = place("US", "California", "Oakland", 37.8, -122.25)
PLACES: Mapping[str, Mapping[str, Any]] = {
    "81.2.69.0/24": LONDON,
    "8.8.8.0/24": OAKLAND,
    "127.0.0.0/8": place("DE", "Land Berlin", "Berlin", 52.52, 13.405),
    "2001:db8::/32": {"country": {"iso_code": "JP", "names": {"en": "Japan"}}},
}


def write_city(
    path: Path,
    places: Mapping[str, Mapping[str, Any]] = PLACES,
    database_type: str = "GeoLite2-City",
    ip_version: int = 6,
) -> Path:
    writer = MMDBWriter(
        ip_version=ip_version,
        ipv4_compatible=ip_version == 6,
        database_type=database_type,
        languages=["en"],
        float_type="f64",
    )
    for network, record in places.items():
        writer.insert_network(IPSet([network]), dict(record))
    writer.to_db_file(str(path))
    return path
