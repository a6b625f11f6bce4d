"""Where an address is, by the City database at GEOIP_PATH. Unknown is empty, never an exception.

The file is read into memory, once, and again after it was replaced. A damaged one costs no event: the one that was
read before it stays in use, or the geo columns stay null.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Literal

from django.conf import settings

from collect.enrichment import city
from collect.enrichment.city import UNKNOWN, City, CityError, Geo

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
# A file that could not be read is tried again after this time, even if nothing of it has changed.
RETRY_SECONDS = 60.0
CACHED_ADDRESSES = 10_000
_NO_FILE = "no such file"


@dataclass(frozen=True, slots=True)
class GeoStatus:
    """The state of the geo database.

    `error` is what is wrong with the file at `path`. `built_at` is of the database in use, which after an error is
    the one that was there before, if any.
    """

    path: str
    built_at: datetime | None = None
    error: str | None = None

    @property
    def state(self) -> Literal["ok", "missing", "failed"]:
        """`missing` may be a choice; `failed` is a file that is there and cannot be used, or not for all addresses."""
        return "ok" if self.error is None else "missing" if self.error == _NO_FILE else "failed"


class CityFile:
    """A City database that notices when its file is replaced, removed or broken."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._loading = threading.Lock()
        self._checked_at = self._loaded_at = float("-inf")
        self._is_refused = False
        self._stamp: tuple[int, ...] | None = None
        self._city: City | None = None
        self.status = GeoStatus(path, error="not read yet")
        self._find = lru_cache(CACHED_ADDRESSES)(self._read)

    def lookup(self, address: str | None) -> Geo:
        """Return what is known of `address`, an empty `Geo` if nothing is."""
        if self._clock() - self._checked_at > CHECK_SECONDS:
            self.check()
        return UNKNOWN if address is None or self._city is None else self._find(address)

    def network(self, address: str) -> str | None:
        """Return the network whose record tells where `address` is, None where none does."""
        return None if self._city is None else self._city.network(address)

    def check(self) -> None:
        """Read the file again if it is not the same file as before, or could not be read for a while."""
        with self._loading:
            self._checked_at = self._clock()
            stamp = _stamp(self._path)
            is_due = self._is_refused and self._checked_at - self._loaded_at > RETRY_SECONDS
            if stamp is None or stamp != self._stamp or is_due:
                self._stamp, self._loaded_at = stamp, self._checked_at
                self._load()

    def _load(self) -> None:
        before = self.status
        self._is_refused = False
        try:
            found = city.read(self._path)
            self._use(found, GeoStatus(self._path, found.built_at))
        except CityError as error:
            if self._stamp is None:
                # Whoever removes the file wants no places any more, or must not keep them.
                self._use(None, GeoStatus(self._path, error=_NO_FILE))
            else:
                self._is_refused = True
                self.status = replace(before, error=str(error))
        if self.status != before:
            _log(self.status)

    def _use(self, found: City | None, status: GeoStatus) -> None:
        self._city, self.status = found, status
        self._find = lru_cache(CACHED_ADDRESSES)(self._read)

    def _read(self, address: str) -> Geo:
        try:
            return self._city.find(address) if self._city else UNKNOWN
        except CityError as error:
            # The event is worth more than its place. Of a file whose damage shows only at some address the log tells
            # once, not for each of them.
            if self.status.error is None:
                self.status = replace(self.status, error=str(error))
                _log(self.status)
            return UNKNOWN


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    # The time of the last change of the inode too, for a file that may be read from now on.
    return stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size


def _log(status: GeoStatus) -> None:
    if status.error is None:
        logger.info("geo database read", extra={"path": status.path, "built_at": str(status.built_at)})
    elif status.built_at is None:
        logger.warning("no geo database, geo stays null", extra={"path": status.path, "reason": status.error})
    else:
        told = {"path": status.path, "reason": status.error, "in_use": str(status.built_at)}
        logger.warning("geo database damaged, the one that was read stays in use", extra=told)


@cache
def file_at(path: str) -> CityFile:
    """Return the database at `path`; all callers share one."""
    return CityFile(path)


def lookup(address: str | None) -> Geo:
    """Return what is known of `address`, which is in the form that `addresses.normalise` returns."""
    return file_at(settings.GEOIP_PATH).lookup(address)


def network(address: str) -> str | None:
    """Return the network of the database whose record tells where `address` is, None where none does."""
    return file_at(settings.GEOIP_PATH).network(address)


def status() -> GeoStatus:
    """Check the configured database again, and return its state."""
    file = file_at(settings.GEOIP_PATH)
    file.check()
    return file.status
