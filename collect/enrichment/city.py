"""A City database in MaxMind's format, read without trust in it.

Whatever a damaged file makes its reader raise becomes a `CityError` here, and a value that no column can hold is None.
"""

import io
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import geoip2.database
import geoip2.models
import maxminddb
from geoip2.errors import AddressNotFoundError
from maxminddb.decoder import Decoder
from maxminddb.reader import Metadata

from collect.intake.contract import MAX_TEXT

MAX_BYTES = 1024 * 1024 * 1024
# Between the search tree and the data. It is elsewhere if the tree's size in the metadata is damaged.
_SEPARATOR = bytes(16)
# How often a node may be met by different ways. IPv4 stands in a tree of IPv6 in up to four places.
_WAYS = 8
# Addresses all over the tree, which are looked up when a file is opened. Most of them are in nobody's database.
_SAMPLE = (
    *(f"{first}.{first * 7 % 256}.0.1" for first in range(1, 224)),
    *(f"{first:x}:{first:x}::1" for first in range(0x2001, 0x2E00, 0x80)),
)


class CityError(Exception):
    """Why a file is not a City database that can be used, or why it has no answer for an address."""


@dataclass(frozen=True, slots=True)
class Geo:
    """What is known of an address: ISO 3166-1 country, English names, degrees."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    lat: float | None = None
    lon: float | None = None


UNKNOWN = Geo()


class _Content(io.BytesIO):
    """The bytes of a file, under the name that the reader's messages give it."""

    name = "in memory"


class City:
    """A City database in memory. A mapped file would kill the process if somebody overwrote it in place."""

    def __init__(self, content: bytes) -> None:
        # The reader in Python: the one in C cannot read from memory, and damaged records crash its process.
        self._content = content
        self._reader = geoip2.database.Reader(_Content(content), mode=maxminddb.MODE_FD)
        metadata = self._reader.metadata()
        if not isinstance(metadata.database_type, str) or "City" not in metadata.database_type:
            raise CityError(f"a database of type {metadata.database_type}, not City")
        if metadata.binary_format_major_version != 2 or metadata.ip_version not in (4, 6):
            raise CityError("damaged: the metadata names an unknown format")
        tree_size = metadata.search_tree_size
        if content[tree_size : tree_size + len(_SEPARATOR)] != _SEPARATOR:
            raise CityError("damaged: the search tree does not end where the metadata says")
        self._ip_version = metadata.ip_version
        self.database_type = metadata.database_type
        self.built_at = datetime.fromtimestamp(metadata.build_epoch, UTC)
        for address in _SAMPLE:
            self.find(address)

    def find(self, address: str) -> Geo:
        """Return what is known of `address`. Raises `CityError` if its record cannot be read."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return UNKNOWN
        if parsed.version > self._ip_version:
            return UNKNOWN
        try:
            return _geo(self._reader.city(parsed))
        except AddressNotFoundError:
            return UNKNOWN
        except Exception as error:  # the boundary: a damaged file raises whatever its bytes lead to
            raise CityError(f"damaged: {type(error).__name__} at an address: {error}") from error

    def network(self, address: str) -> str | None:
        """Return the network whose record tells where `address` is; None where there is none that can be read."""
        try:
            found = self._reader.city(address).traits.network
        except Exception:  # the boundary, as in `find`; nobody stores this
            return None
        return None if found is None else str(found)

    def verify(self) -> None:
        """Read every record once, some 20 µs for each of them. Raises `CityError` if one cannot be read."""
        metadata = self._reader.metadata()
        decode = Decoder(self._content, metadata.search_tree_size + len(_SEPARATOR)).decode
        try:
            for place in _places(self._content, metadata):
                record: Any = decode(place)[0]
                _geo(geoip2.models.City(["en"], **record))
        except CityError:
            raise
        except Exception as error:  # the boundary: a damaged file raises whatever its bytes lead to
            raise CityError(f"damaged: {type(error).__name__} in a record: {error}") from error


def _places(content: bytes, metadata: Metadata) -> set[int]:
    """Return where the records are that the search tree leads to.

    Raises `CityError` if a part of the tree leads nowhere, or in a circle.
    """
    node_count, places, level, visits = metadata.node_count, set(), {0}, 0
    for _ in range(128 if metadata.ip_version == 6 else 32):
        visits += len(level)
        sides = {side for number in level for side in _sides(content, number, metadata)}
        # Nothing leads back to the first node, but blocks of zeros do, which a file may have after a crash. A part
        # with several ways to it, as IPv4 has, is met once for each of them.
        if 0 in sides or visits > _WAYS * node_count:
            break
        level = {side for side in sides if side < node_count}
        places |= {side - node_count for side in sides if side > node_count}
    else:
        if not level and all(place >= len(_SEPARATOR) for place in places):
            return {place + metadata.search_tree_size for place in places}
    raise CityError("damaged: the search tree leads nowhere")


def _sides(content: bytes, number: int, metadata: Metadata) -> tuple[int, int]:
    """Return both records of a node (https://maxmind.github.io/MaxMind-DB/, "Node Layout")."""
    size, bits = metadata.node_byte_size, metadata.record_size
    node = int.from_bytes(content[number * size : number * size + size])
    # In nodes of 7 bytes the high four bits of both records share the middle byte.
    left = (node >> bits) if bits != 28 else (node >> 32) | (node >> 28 & 0xF) << 24
    return left, node & ((1 << bits) - 1)


def read(path: str | Path) -> City:
    """Return the database at `path`. Raises `CityError` if it cannot be read, is damaged or of another type."""
    try:
        return City(_content(path))
    except CityError:
        raise
    except OSError as error:
        raise CityError(error.strerror or type(error).__name__) from error
    except Exception as error:  # the boundary: a damaged file raises whatever its bytes lead to
        raise CityError(f"damaged: {type(error).__name__}: {error}") from error


def _content(path: str | Path) -> bytes:
    found = os.stat(path)
    # Reading a pipe or a device would not end.
    if not stat.S_ISREG(found.st_mode):
        raise CityError("not a file")
    if found.st_size > MAX_BYTES:
        raise CityError(f"larger than {MAX_BYTES} bytes")
    content = Path(path).read_bytes()
    if b"\xab\xcd\xefMaxMind.com" not in content[-128 * 1024 :]:
        raise CityError("not a database in MaxMind's format, or one that was cut off")
    return content


def _geo(found: geoip2.models.City) -> Geo:
    """Return the parts of a record. What has another type than it should, or no sense, is None."""
    record = found.to_dict()
    subdivisions = record.get("subdivisions")
    # The last one is the smallest. It is stored by name: DB-IP's free database has no codes.
    region = subdivisions[-1] if isinstance(subdivisions, list) and subdivisions else None
    lat, lon = _degrees(record.get("location"))
    return Geo(_country(record.get("country")), _name(region), _name(record.get("city")), lat, lon)


def _country(found: object) -> str | None:
    code = found.get("iso_code") if isinstance(found, dict) else None
    return code.upper() if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() else None


def _name(found: object) -> str | None:
    names = found.get("names") if isinstance(found, dict) else None
    name = names.get("en") if isinstance(names, dict) else None
    # No place has a name that is too long for the column, and PostgreSQL has no text with U+0000.
    return name if isinstance(name, str) and 0 < len(name) <= MAX_TEXT and "\0" not in name else None


def _degrees(location: object) -> tuple[float, float] | tuple[None, None]:
    if not isinstance(location, dict):
        return None, None
    lat, lon = (_within(location.get(name), limit) for name, limit in (("latitude", 90), ("longitude", 180)))
    # One without the other is no point on earth.
    return (None, None) if lat is None or lon is None else (lat, lon)


def _within(degrees: Any, limit: int) -> float | None:
    is_number = isinstance(degrees, int | float) and not isinstance(degrees, bool)
    return float(degrees) if is_number and abs(degrees) <= limit else None
