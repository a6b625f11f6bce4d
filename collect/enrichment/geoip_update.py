"""Fetches a City database, proves that it is one, and puts it in place by rename.

A file that readers have open is never written to, and what is not a whole City database never replaces one that is.
The licence key goes into a request header and nowhere else.
"""

import base64
import gzip
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from collect.enrichment import city
from collect.enrichment.city import CityError

MAXMIND_URL = "https://download.maxmind.com"
DBIP_URL = "https://download.db-ip.com"
TIMEOUT_SECONDS = 60
MAX_DOWNLOAD = 512 * 1024 * 1024
_STEP = 1024 * 1024
# The address of a public resolver, which every City database knows.
PROBE = "8.8.8.8"
_OFFLINE = "Without a network, bring a file and name it with --file (docs/operations.md, Places)"
# What MaxMind means by it.
_ANSWERS = {401: ": are MAXMIND_ACCOUNT_ID and MAXMIND_LICENSE_KEY right?", 429: ": too many downloads today"}


class UpdateError(Exception):
    """Why there is no new database; the old one, if any, is untouched."""


@dataclass(frozen=True)
class MaxMindAccount:
    """The account that downloads GeoLite2-City. `repr` does not show the licence key."""

    account_id: str
    license_key: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """The value of HTTP's basic authentication."""
        pair = f"{self.account_id}:{self.license_key}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


@dataclass(frozen=True)
class Installed:
    """What was fetched: its type, the day it was built, and its size in bytes."""

    database_type: str
    built_at: datetime
    size: int


# What holds a database, plain or packed as .gz or .tar.gz, and is there within a `with`.
Origin = AbstractContextManager[IO[bytes]]


def update(target: Path, origin: Origin, *, dry_run: bool) -> Installed:
    """Unpack the database of `origin`, verify it and rename it to `target`.

    A dry run stops before the rename. Raises `UpdateError` if there is no new database; `target` is untouched then.
    """
    try:
        with _beside(target) as new:
            with origin as packed, new.open("wb") as file:
                _unpack(packed, file)
                file.flush()
                os.fsync(file.fileno())
            installed = verify(new)
            if not dry_run:
                new.chmod(0o644)
                new.replace(target)
                _sync_directory(target.parent)
            return installed
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise UpdateError(f"The new file is cut off or damaged: {error}") from error
    except OSError as error:
        raise UpdateError(
            f"The new file cannot be put at {target}: {error.strerror or type(error).__name__}"
        ) from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Make an empty file in the directory of `target`, and delete it in the end unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def verify(path: Path) -> Installed:
    """Return what `path` is. Raises `UpdateError` unless it is a City database of which every record can be read."""
    try:
        found = city.read(path)
        found.verify()
        if found.find(PROBE) == city.UNKNOWN:
            raise UpdateError(f"The new file does not know {PROBE}, as every City database does")
    except CityError as error:
        raise UpdateError(f"The new file is not a City database that can be used: {error}") from error
    return Installed(found.database_type, found.built_at, path.stat().st_size)


def maxmind(account: MaxMindAccount, base_url: str | None = None) -> Origin:
    """Return GeoLite2-City of MaxMind. To enter it downloads it, and raises `UpdateError` if that fails."""
    url = f"{base_url or MAXMIND_URL}/geoip/databases/GeoLite2-City/download?suffix=tar.gz"
    return _download(url, account.authorization)


def dbip(base_url: str | None = None) -> Origin:
    """Return City Lite of DB-IP. To enter it downloads it, and raises `UpdateError` if that fails."""
    return _download_newest(base_url or DBIP_URL)


@contextmanager
def local(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that somebody brought. Raises `UpdateError` if it cannot be opened."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UpdateError(f"{path}: {error.strerror or type(error).__name__}") from error
    with file:
        yield file


def _unpack(packed: IO[bytes], file: IO[bytes]) -> None:
    is_gzip = packed.read(2) == b"\x1f\x8b"
    packed.seek(0)
    with tempfile.TemporaryFile() if is_gzip else nullcontext(packed) as content:
        if is_gzip:
            # To its end, where the checksum is: an archive is read no further than its last member.
            with gzip.open(packed) as unpacked:
                _copy(unpacked, content, city.MAX_BYTES)
        content.seek(0)
        is_archive = tarfile.is_tarfile(content)
        content.seek(0)
        if is_archive:
            _extract(content, file)
        else:
            _copy(content, file, city.MAX_BYTES)


def _extract(archive: IO[bytes], file: IO[bytes]) -> None:
    with tarfile.open(fileobj=archive, mode="r:") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".mmdb") and (content := tar.extractfile(member)):
                _copy(content, file, city.MAX_BYTES)
                return
    raise UpdateError("The archive holds no .mmdb file")


@contextmanager
def _download_newest(base_url: str) -> Iterator[IO[bytes]]:
    """Download DB-IP's file of this month or, if there is none, of the last: a new one appears in a month's first days.

    Raises `UpdateError` if neither can be downloaded.
    """
    this = datetime.now(UTC).date().replace(day=1)
    error: UpdateError | None = None
    for month in (this, (this - timedelta(days=1)).replace(day=1)):
        try:
            download = _download(_dbip_url(base_url, month))
            file = download.__enter__()
        except UpdateError as failed:
            error = failed
            continue
        try:
            yield file
        finally:
            download.__exit__(None, None, None)
        return
    raise error or UpdateError("Nothing to download")


def _dbip_url(base_url: str, month: date) -> str:
    return f"{base_url}/free/dbip-city-lite-{month:%Y-%m}.mmdb.gz"


class _Redirects(HTTPRedirectHandler):
    """Follows MaxMind's redirect to its storage, without handing the licence key on to another host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:  # urllib's signature
        _require_https(newurl)
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)
        if followed is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            followed.remove_header("Authorization")
        return followed


@contextmanager
def _download(url: str, authorization: str | None = None) -> Iterator[IO[bytes]]:
    """Download `url` to a temporary file of at most 512 MiB. Raises `UpdateError` if that fails."""
    _require_https(url)
    request = Request(url, headers={"Authorization": authorization} if authorization else {})  # noqa: S310  # checked
    shown = url.partition("?")[0]
    with tempfile.TemporaryFile() as file:
        try:
            with build_opener(_Redirects).open(request, timeout=TIMEOUT_SECONDS) as response:
                _copy(response, file, MAX_DOWNLOAD)
        except HTTPError as error:
            error.close()
            hint = _ANSWERS.get(error.code, "") if authorization else ""
            raise UpdateError(f"{shown} answered {error.code}{hint}") from None
        except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise UpdateError(f"{shown} cannot be reached: {reason}. {_OFFLINE}") from None
        file.seek(0, io.SEEK_SET)
        yield file


def _require_https(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        raise UpdateError(f"{parts.scheme}://{parts.hostname} is not https")


def _copy(source: Any, file: IO[bytes], limit: int) -> None:
    copied = 0
    while chunk := source.read(_STEP):
        copied += len(chunk)
        if copied > limit:
            raise UpdateError(f"The new file is larger than {limit} bytes")
        file.write(chunk)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
