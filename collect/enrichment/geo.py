"""Where an address is, from a City database in MaxMind's format. Unknown is empty, never an exception.

The file is read into memory, once, and again after it was replaced. A mapped file would kill the process if somebody
overwrote it in place.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache

import geoip2.database
import maxminddb
from django.conf import settings
from geoip2.errors import AddressNotFoundError
from geoip2.models import City

from collect.intake.contract import MAX_TEXT

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
CACHED_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class Geo:
    """What is known of an address: ISO 3166-1 country, English names, degrees."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    lat: float | None = None
    lon: float | None = None


UNKNOWN = Geo()


@dataclass(frozen=True, slots=True)
class GeoStatus:
    """The state of the geo database: when it was built, or what is wrong with it."""

    path: str
    built_at: datetime | None = None
    error: str | None = None


class CityFile:
    """A City database that notices when its file is replaced, removed or broken."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loading = threading.Lock()
        self._checked_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._reader: geoip2.database.Reader | None = None
        self.status = GeoStatus(path, error="not read yet")
        self._find = lru_cache(CACHED_ADDRESSES)(self._read)

    def lookup(self, address: str | None) -> Geo:
        """Return what is known of `address`, an empty `Geo` if nothing is."""
        if time.monotonic() - self._checked_at > CHECK_SECONDS:
            self.check()
        return UNKNOWN if address is None or self._reader is None else self._find(address)

    def check(self) -> None:
        """Read the file again if it is not the same file as before."""
        with self._loading:
            self._checked_at = time.monotonic()
            stamp = _stamp(self._path)
            if stamp is None or stamp != self._stamp:
                self._load(stamp)

    def _load(self, stamp: tuple[int, int, int] | None) -> None:
        self._stamp, before = stamp, self.status
        try:
            self._reader, self.status = self._open()
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            reason = "no such file" if stamp is None else f"{type(error).__name__}: {error}"
            self._reader, self.status = None, GeoStatus(self._path, error=reason)
        self._find = lru_cache(CACHED_ADDRESSES)(self._read)
        if self.status != before:
            _log(self.status)

    def _open(self) -> tuple[geoip2.database.Reader, GeoStatus]:
        reader = geoip2.database.Reader(self._path, mode=maxminddb.MODE_MEMORY)
        metadata = reader.metadata()
        if "City" not in metadata.database_type:
            raise ValueError(f"a database of type {metadata.database_type}, not City")
        return reader, GeoStatus(self._path, built_at=datetime.fromtimestamp(metadata.build_epoch, UTC))

    def _read(self, address: str) -> Geo:
        reader = self._reader
        if reader is None:
            return UNKNOWN
        try:
            return _geo(reader.city(address))
        except AddressNotFoundError:
            return UNKNOWN
        except (ValueError, TypeError, KeyError, IndexError, maxminddb.InvalidDatabaseError) as error:
            # A damaged file may open and then fail at one address. The event is worth more than its place.
            logger.warning("geo database failed at an address", extra={"reason": type(error).__name__})
            return UNKNOWN


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _log(status: GeoStatus) -> None:
    if status.error is None:
        logger.info("geo database read", extra={"path": status.path, "built_at": str(status.built_at)})
    else:
        logger.warning("no geo database, geo stays null", extra={"path": status.path, "reason": status.error})


def _geo(found: City) -> Geo:
    # The region is stored by name: DB-IP's free database has no codes.
    country = found.country.iso_code
    return Geo(
        country=country if country and len(country) == 2 else None,
        region=_name(found.subdivisions.most_specific.name),
        city=_name(found.city.name),
        lat=found.location.latitude,
        lon=found.location.longitude,
    )


def _name(name: str | None) -> str | None:
    return name[:MAX_TEXT] if name else None


@cache
def file_at(path: str) -> CityFile:
    """Return the database at `path`; all callers share one."""
    return CityFile(path)


def lookup(address: str | None) -> Geo:
    """Return what is known of `address`, which is in the form that `addresses.normalise` returns."""
    return file_at(settings.GEOIP_PATH).lookup(address)


def status() -> GeoStatus:
    """Check the configured database again, and return its state."""
    file = file_at(settings.GEOIP_PATH)
    file.check()
    return file.status
