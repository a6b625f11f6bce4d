"""Fetching a City database from a real HTTP server on loopback."""

import base64
import gzip
import io
import re
import tarfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from collect.enrichment import city as city_file
from collect.enrichment import geoip_update
from tests.harness import mmdb

SECRET = "licence-key-that-nobody-may-see"


class Mirror(HTTPServer):
    """A server of `files` (path -> status, headers, body) that notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """The answers of the mirror, out of its files."""

    server: Mirror

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, headers, body = self.server.files.get(self.path, (404, {}, b"no"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.GEOIP_PATH = str(tmp_path / "geo" / "city.mmdb")
    monkeypatch.delenv("MAXMIND_ACCOUNT_ID", raising=False)
    monkeypatch.delenv("MAXMIND_LICENSE_KEY", raising=False)
    return tmp_path / "geo" / "city.mmdb"


@pytest.fixture
def city(tmp_path: Path) -> bytes:
    return mmdb.write_city(tmp_path / "made.mmdb").read_bytes()


def month(ago: int = 0) -> str:
    day = datetime.now(UTC).date().replace(day=1)
    for _ in range(ago):
        day = (day - timedelta(days=1)).replace(day=1)
    return f"/free/dbip-city-lite-{day:%Y-%m}.mmdb.gz"


def archive(content: bytes, name: str = "GeoLite2-City_20260101/GeoLite2-City.mmdb") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, data in (("GeoLite2-City_20260101/README.txt", b"x"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


MAXMIND = "/geoip/databases/GeoLite2-City/download?suffix=tar.gz"


@pytest.mark.parametrize("ago", [0, 1])
def test_dbip_needs_no_account_and_goes_back_a_month(
    mirror: Mirror, target: Path, city: bytes, ago: int, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.files[month(ago)] = (200, {}, gzip.compress(city))
    call_command("update_geoip", base_url=mirror.url)
    assert target.read_bytes() == city
    assert "GeoLite2-City" in capsys.readouterr().out
    assert [path for path, _ in mirror.asked] == [month(n) for n in range(ago + 1)]
    assert [path.name for path in target.parent.iterdir()] == ["city.mmdb"]


def test_maxmind_is_asked_with_the_licence_which_goes_no_further(
    mirror: Mirror, target: Path, city: bytes, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    other = mirror.url.replace("127.0.0.1", "localhost")
    mirror.files[MAXMIND] = (302, {"Location": f"{other}/storage"}, b"")
    mirror.files["/storage"] = (200, {}, archive(city))
    call_command("update_geoip", base_url=mirror.url, account_id="42", license_key=SECRET)
    assert target.read_bytes() == city
    basic = "Basic " + base64.b64encode(f"42:{SECRET}".encode()).decode()
    assert mirror.asked == [(MAXMIND, basic), ("/storage", None)]
    assert SECRET not in caplog.text + str(capsys.readouterr())
    assert SECRET not in repr(geoip_update.MaxMindAccount("42", SECRET))


def test_wrong_licence_is_said_without_it(mirror: Mirror, target: Path) -> None:
    mirror.files[MAXMIND] = (401, {}, b"Invalid license key")
    with pytest.raises(CommandError, match="answered 401: are MAXMIND_ACCOUNT_ID and") as caught:
        call_command("update_geoip", base_url=mirror.url, account_id="42", license_key=SECRET)
    assert SECRET not in str(caught.value)


def test_dry_run_fetches_and_leaves_the_file(
    mirror: Mirror, target: Path, city: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.files[month()] = (200, {}, gzip.compress(city))
    call_command("update_geoip", base_url=mirror.url, dry_run=True)
    assert not target.exists()
    assert "would be put at" in capsys.readouterr().out


PACKINGS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "tar.gz": archive}


@pytest.mark.parametrize("packing", PACKINGS)
def test_file_is_installed_without_a_network(
    target: Path, city: bytes, tmp_path: Path, packing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    brought = tmp_path / "brought"
    brought.write_bytes(PACKINGS[packing](city))
    call_command("update_geoip", file=brought, account_id="42", license_key=SECRET)
    assert target.read_bytes() == city
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["city.mmdb"]
    told = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"GeoLite2-City of 20\d\d-\d\d-\d\d, {len(city):,} bytes, is at {target}\.", told[0])
    assert told[1].startswith("Running servers read it by themselves")
    assert brought.exists()


def test_file_that_is_bad_or_not_there_is_refused_and_the_old_one_stays(
    target: Path, city: bytes, tmp_path: Path
) -> None:
    brought = tmp_path / "brought"
    with pytest.raises(CommandError, match=r"brought: No such file or directory\. There is still no .*city\.mmdb"):
        call_command("update_geoip", file=brought)
    target.write_bytes(city)
    for content, reason in (
        (b"GeoIP2-City-CSV", "not a database in MaxMind's format"),
        (gzip.compress(city)[:-20], "cut off or damaged"),
        (archive(city)[:-4], "cut off or damaged"),
        (_flipped(archive(city)), "cut off or damaged"),
        (city[:-100], "damaged"),
        (b"", "not a database in MaxMind's format"),
    ):
        brought.write_bytes(content)
        with pytest.raises(CommandError, match=reason) as caught:
            call_command("update_geoip", file=brought)
        assert str(caught.value).endswith(f"{target} is as it was")
    assert target.read_bytes() == city
    assert [path.name for path in target.parent.iterdir()] == ["city.mmdb"]


def _flipped(packed: bytes) -> bytes:
    """A checksum that is not that of the content, as after a flipped bit that changes a letter of a name."""
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


def test_place_that_cannot_be_written_is_named(target: Path, city: bytes, tmp_path: Path, settings: Settings) -> None:
    brought = tmp_path / "brought"
    brought.write_bytes(city)
    for path, reason in ((brought / "city.mmdb", "Not a directory|File exists"), (tmp_path, "Is a directory")):
        settings.GEOIP_PATH = str(path)
        with pytest.raises(CommandError, match=f"cannot be put at {path}: ({reason})"):
            call_command("update_geoip", file=brought)


@pytest.mark.parametrize(
    "download",
    [
        b"",
        b"<html>rate limited</html>",
        gzip.compress(b"not a database", mtime=0),
        gzip.compress(b"x" * 100_000)[:-20],
    ],
)
def test_bad_download_never_replaces_a_good_file(mirror: Mirror, target: Path, city: bytes, download: bytes) -> None:
    target.parent.mkdir()
    target.write_bytes(city)
    mirror.files[month()] = (200, {}, download)
    with pytest.raises(CommandError):
        call_command("update_geoip", base_url=mirror.url)
    assert target.read_bytes() == city
    assert [path.name for path in target.parent.iterdir()] == ["city.mmdb"]


def test_damaged_database_is_refused(mirror: Mirror, target: Path, city: bytes) -> None:
    """The damage is at an address that no probe asks for, and in the tree: every record is read before it is kept."""
    zeroed = bytes(60).join((city[:600], city[660:]))
    for content in (city.replace(b"London", b"Lon\xffon"), zeroed, city.replace(b"node_count", b"node_cOunt")):
        mirror.files[month()] = (200, {}, gzip.compress(content))
        with pytest.raises(CommandError, match="not a City database that can be used: damaged"):
            call_command("update_geoip", base_url=mirror.url)
    assert not target.exists()
    assert list(target.parent.iterdir()) == []


def test_database_of_another_type_or_without_the_probe_is_refused(mirror: Mirror, target: Path, tmp_path: Path) -> None:
    asn = mmdb.write_city(tmp_path / "asn", {"8.8.8.0/24": {"x": 1}}, "GeoLite2-ASN").read_bytes()
    empty = mmdb.write_city(tmp_path / "empty", {"81.2.69.0/24": mmdb.LONDON}).read_bytes()
    for content, reason in ((asn, "GeoLite2-ASN"), (empty, "does not know")):
        mirror.files[month()] = (200, {}, gzip.compress(content))
        with pytest.raises(CommandError, match=reason):
            call_command("update_geoip", base_url=mirror.url)


def test_archive_without_a_database_is_refused(mirror: Mirror, target: Path, city: bytes) -> None:
    mirror.files[MAXMIND] = (200, {}, archive(city, "other.txt"))
    with pytest.raises(CommandError, match=r"no \.mmdb"):
        call_command("update_geoip", base_url=mirror.url, account_id="42", license_key=SECRET)


def test_download_is_bounded(mirror: Mirror, target: Path, city: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.files[month()] = (200, {}, gzip.compress(city))
    monkeypatch.setattr(city_file, "MAX_BYTES", 100)
    with pytest.raises(CommandError, match="larger than 100"):
        call_command("update_geoip", base_url=mirror.url)


def test_plain_http_beyond_loopback_is_refused(target: Path) -> None:
    with pytest.raises(CommandError, match="not https"):
        call_command("update_geoip", base_url="http://mirror.example")


def test_server_that_is_not_there_is_said(target: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot be reached: .*refused\. Without a network, .*--file"):
        call_command("update_geoip", base_url="http://127.0.0.1:1")


def test_half_an_account_is_refused(target: Path) -> None:
    with pytest.raises(CommandError, match="both"):
        call_command("update_geoip", license_key=SECRET)
