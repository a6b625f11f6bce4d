"""What an answer promises of its connection holds (contract, section 8), on raw sockets and by a client that keeps one.

A body that nobody reads is where it could break: behind it the next request begins.
"""

import json
import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException

import pytest

from tests.harness.collector import Collector
from tests.harness.server import ROOT, serve

pytestmark = [pytest.mark.alone, pytest.mark.once]

KIB = 1024
EVENT = b'{"event_name":"behind"}'

# The refusals that come before the body is read, as a request line without version and a key.
UNREAD = {401: ("POST /api/collect", "nobody"), 404: ("POST /api/nothing", ""), 405: ("PUT /api/collect", "")}


@pytest.fixture(scope="module")
def limited(collector: Collector) -> str:
    """A key that may send two events a day, one through each worker."""
    raw_key = collector.manage("issue_key", "--partner", "acme", "--label", "limited").strip()
    collector.manage("restrict_key", raw_key, "--per-day", "2")
    return raw_key


def framed(collector: Collector, line: str, key: str, body: bytes, *, chunked: bool, more: str = "") -> bytes:
    """A whole request; without a `key` it has the right one."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key or collector.raw_key}\r\n"
    rest = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    return f"{head}Content-Type: application/json\r\n{more}{framing}\r\n\r\n".encode() + rest


def promises(collector: Collector, refused: bytes) -> list[tuple[int, str]]:
    """The status and the promise of every answer to a refused request and to a good event right behind it."""
    behind = framed(collector, "POST /api/collect", "", EVENT, chunked=False, more="Connection: close\r\n")
    received = collector.raw(refused + behind, shut=False)
    found = re.findall(rb"HTTP/1\.1 (\d{3}) .*?\r\nConnection: ([a-z-]+)\r\n", received, re.DOTALL)
    return [(int(status), promise.decode()) for status, promise in found]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [KIB, 64 * KIB, 1024 * KIB])
@pytest.mark.parametrize("status", UNREAD)
def test_unread_body_is_read_out_or_its_answer_says_close(
    collector: Collector, status: int, size: int, chunked: bool
) -> None:
    refused = framed(collector, *UNREAD[status], b"x" * size, chunked=chunked)
    goes_on = [(status, "keep-alive"), (204, "close")]
    assert promises(collector, refused) == (goes_on if size <= 64 * KIB else [(status, "close")])


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [KIB, 64 * KIB, 1024 * KIB])
def test_connection_goes_on_behind_a_body_that_was_read(
    collector: Collector, limited: str, size: int, chunked: bool
) -> None:
    """Whatever is wrong with it: no event, too many events, more than the key may send."""
    for line, key, body, status in (
        ("POST /api/collect", "", b"x" * size, 400),
        ("POST /api/collect/batch", "", b"[" + b"1," * 2_000 + b"1]" + b" " * size, 413),
        ("POST /api/collect/batch", limited, b"[{},{},{}]" + b" " * size, 429),
    ):
        refused = framed(collector, line, key, body, chunked=chunked)
        assert promises(collector, refused) == [(status, "keep-alive"), (204, "close")]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_over_the_cap_ends_its_connection(collector: Collector, chunked: bool) -> None:
    refused = framed(collector, "POST /api/collect", "", b"x" * (1024 * KIB + 1), chunked=chunked)
    assert promises(collector, refused) == [(413, "close")]


def test_no_good_event_breaks_behind_a_refused_one(collector: Collector) -> None:
    """A client that keeps its connection, as pools and proxies do, and opens another only where it was told to."""
    before = collector.count()
    connection = HTTPConnection(collector.server.host, collector.server.port, timeout=10)
    broken: list[str] = []

    def send(line: str, key: str, body: bytes) -> int:
        method, path = line.split()
        sent = {"Authorization": f"Bearer {key or collector.raw_key}", "Content-Type": "application/json"}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    for number in range(100):
        status = list(UNREAD)[number % 3]
        assert send(*UNREAD[status], b"x" * (KIB << number % 12)) == status
        try:
            assert send("POST /api/collect", "", EVENT) == 204
        except (OSError, HTTPException) as error:
            broken.append(f"{number}: {error!r}")
            connection.close()
    connection.close()
    assert not broken
    assert collector.count() == before + 100


@pytest.mark.parametrize("framing", [b"Content-Length: 9999", b"Transfer-Encoding: chunked"])
def test_answer_to_a_body_that_does_not_come_says_close(collector: Collector, framing: bytes) -> None:
    head = b"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n"
    for sent in (head, head + b"1"):
        for shut in (False, True):
            answer = collector.raw(sent, shut=shut)
            assert answer.startswith(b"HTTP/1.1 404 ")
            assert b"\r\nConnection: close\r\n" in answer


CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
OVERHEAD = b"1;%s\r\nx\r\n" % (b"e" * 8_000)


def send_without_end(sock: socket.socket, chunk: bytes) -> None:
    for _ in range(1_000_000):
        sock.sendall(chunk)


@pytest.mark.parametrize(
    ("path", "chunk"), [("/api/nothing", CHUNK), ("/api/nothing", OVERHEAD), ("/api/collect", CHUNK)]
)
def test_body_without_an_end_is_cut(collector: Collector, path: str, chunk: bytes) -> None:
    head = collector.head(Transfer_Encoding="chunked").replace(b"/api/collect", path.encode(), 1)
    with socket.create_connection((collector.server.host, collector.server.port), timeout=10) as sock:
        sock.sendall(head)
        with pytest.raises(ConnectionError):
            send_without_end(sock, chunk)
    assert collector.server.is_live()


@pytest.fixture(scope="module")
def impatient(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A server on the same database, which waits for a body no longer than a second."""
    conf = tmp_path_factory.mktemp("impatient") / "gunicorn.conf.py"
    conf.write_text(f"exec(open({str(ROOT / 'gunicorn.conf.py')!r}).read())\nWorker.body_seconds = 1.0\n")
    with serve(collector.database_url, GUNICORN_CMD_ARGS=f"--config {conf}") as server:
        yield Collector(server, collector.database_url, collector.raw_key)


@pytest.mark.parametrize("path", ["/api/collect", "/api/collect/batch", "/api/collect/validate"])
@pytest.mark.parametrize("framing", ["Content-Length: 99", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("sent", ["", "1", "1\r\n{"])
def test_body_slower_than_its_deadline_is_a_408(impatient: Collector, path: str, framing: str, sent: str) -> None:
    before = impatient.count()
    name, value = framing.split(": ")
    head = impatient.head(**{name: value}).replace(b"/api/collect", path.encode(), 1)
    head, _, body = impatient.raw(head + sent.encode(), shut=False).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in head + b"\r\n"
    assert json.loads(body)["code"] == "timeout"
    assert impatient.count() == before
    if not path.endswith("validate"):
        request_id = json.loads(body)["request_id"]
        assert impatient.rows(f"SELECT code FROM collect_rejection WHERE request_id = '{request_id}'") == [("timeout",)]
