"""What is read as plain: a part of what gunicorn reads, and never otherwise than gunicorn reads it."""

from random import Random
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import IterUnreader

from runtime.gunicorn.connection import environ_of
from runtime.gunicorn.plain import MAX_BODY, MAX_FIELDS, MAX_HEAD, Plain, Reader
from runtime.gunicorn.request import Request
from tests.harness.server import ROOT
from tests.runtime.gunicorn import heads

PEER, SERVER = ("192.0.2.7", 4711), ("127.0.0.1", 8000)
READER = Reader(["/api/collect", "/api/collect/batch"])
CONFIG = Config()
CONFIG.set("config", str(ROOT / "gunicorn.conf.py"))
for name, value in (("forwarder_headers", ""), ("secure_scheme_headers", {}), ("limit_request_line", 8190)):
    CONFIG.set(name, value)
CLIENT = object()
BASE = environ_of(CONFIG, SERVER, CLIENT, PEER)

START = b"POST /api/collect HTTP/1.1"
HOST, TYPE, LENGTH = b"Host: localhost", b"Content-Type: application/json", b"Content-Length: 2"


def request(*more: bytes, head: tuple[bytes, ...] = (START, HOST, TYPE, LENGTH)) -> bytes:
    return b"\r\n".join([*head, *more, b"", b"{}behind"])


def read(data: bytes) -> Plain | None:
    return READER.read(data, BASE)


def by_gunicorn(data: bytes) -> tuple[dict[str, Any], bytes, bytes, bool]:
    """The environment that gunicorn makes of a request, its body, what is behind that, and whether the end follows."""
    read = Request(CONFIG, IterUnreader([data]), PEER)
    read.proxy_protocol_info = {}
    _, environ = wsgi.create(read, CLIENT, PEER, SERVER, CONFIG)
    body = read.body.read(int(environ.get("CONTENT_LENGTH", "0")))
    # By its head alone: what our own `should_close` adds needs a socket.
    return environ, body, read.unreader.take_buffered(), super(Request, read).should_close()


# What differs from request to request by gunicorn's own doing, and is not looked at on the senders' road.
_OWN = ("wsgi.errors", "wsgi.input", "wsgi.early_hints", "wsgi.multithread")


def assert_same(data: bytes) -> bool:
    """Fail where the two read a request differently; tell whether it is plain."""
    plain = read(data)
    if plain is None:
        return False
    data = data.ljust(plain.end, b"x")
    try:
        environ, body, behind, closes = by_gunicorn(data)
    except (ParseException, StopIteration) as error:
        raise AssertionError(f"gunicorn refuses what is plain to us: {data!r}") from error
    ours = {name: value for name, value in plain.environ.items() if name not in _OWN}
    assert ours == {name: value for name, value in environ.items() if name not in _OWN}, data
    assert (data[plain.start : plain.end], data[plain.end :], closes) == (body, behind, False), data
    return True


@pytest.mark.parametrize(
    "more",
    [
        [],
        [b"Connection: keep-alive"],
        [b"connection: Keep-Alive"],
        [b"X-Request-Id:\t a b \t"],
        [b"X-Empty:"],
        [b"X-Caf: \xe9"],
        [b"AUTHORIZATION: Bearer x"],
        [b"X-Forwarded-For: 192.0.2.1, 192.0.2.2", b"X-Forwarded-Proto: https"],
        [b"Accept-Encoding: gzip", b"Accept: */*", b"User-Agent: python-requests/2.32"],
        [b"Cookie: a=b; c=d"],
    ],
)
def test_requests_as_senders_make_them_are_plain(more: list[bytes]) -> None:
    assert assert_same(request(*more))


@pytest.mark.parametrize("path", [b"/api/collect", b"/api/collect/batch"])
def test_each_of_the_paths_is_plain(path: bytes) -> None:
    assert assert_same(request(head=(b"POST %s HTTP/1.1" % path, HOST, LENGTH)))


def test_body_that_is_still_coming_changes_nothing() -> None:
    plain = read(request()[: -len(b"{}behind")])
    assert plain is not None
    assert plain.end == plain.start + 2


@pytest.mark.parametrize(
    "more",
    [
        # Framing.
        [LENGTH],
        [b"Content-Length: 3"],
        [b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer_Encoding: chunked"],
        [b"Content_Length: 3"],
        # The connection.
        [b"Connection: close"],
        [b"Connection: keep-alive, close"],
        [b"Connection: upgrade", b"Upgrade: h2c"],
        [b"Upgrade: h2c"],
        [b"Expect: 100-continue"],
        # Hosts.
        [b"Host: localhost"],
        [b"host: elsewhere"],
        # One name twice, which WSGI joins.
        [b"X: a", b"X: b"],
        [b"X: a", b"x: b"],
        [b"Content-Type: text/plain"],
        # Lines.
        [b"X: a\nY: b"],
        [b"X: a\rY: b"],
        [b"X: a\0"],
        [b"X: a\x01"],
        [b"X: a\x7f"],
        [b"X: a\x0b"],
        [b"X: a", b" folded"],
        [b"X: a", b"\tfolded"],
        [b" X: a"],
        [b"X : a"],
        [b"X\t: a"],
        [b"X\xe9: a"],
        [b"X"],
        [b": a"],
        [b"X_A: a"],
        [b"X!: a"],
        # Sizes.
        [b"X: " + b"x" * MAX_HEAD],
        [b"X%d: x" % number for number in range(MAX_FIELDS)],
    ],
    ids=lambda more: repr(b" | ".join(more))[2:60],
)
def test_unusual_fields_are_left_to_gunicorn(more: list[bytes]) -> None:
    assert read(request(*more)) is None


@pytest.mark.parametrize(
    "head",
    [
        (b"POST /api/collect HTTP/1.0", HOST, LENGTH),
        (b"POST /api/collect HTTP/2.0", HOST, LENGTH),
        (b"POST /api/collect", HOST, LENGTH),
        (b"POST /api/collect?a HTTP/1.1", HOST, LENGTH),
        (b"POST /api/collect# HTTP/1.1", HOST, LENGTH),
        (b"POST /api/collect/ HTTP/1.1", HOST, LENGTH),
        (b"POST /api/%63ollect HTTP/1.1", HOST, LENGTH),
        (b"POST http://localhost/api/collect HTTP/1.1", HOST, LENGTH),
        (b"POST  /api/collect HTTP/1.1", HOST, LENGTH),
        (b"POST /api/collect  HTTP/1.1", HOST, LENGTH),
        (b"POST /api/collect HTTP/1.1 ", HOST, LENGTH),
        (b"post /api/collect HTTP/1.1", HOST, LENGTH),
        (b"GET /api/collect HTTP/1.1", HOST, LENGTH),
        (b"POST /admin/ HTTP/1.1", HOST, LENGTH),
        (b"", START, HOST, LENGTH),
        (START, LENGTH),
        (START, b"Host:", LENGTH),
        (START, b"Host: a b", LENGTH),
        (START, b"Host: user@localhost", LENGTH),
        (START, HOST),
        *(
            (START, HOST, b"Content-Length: " + length)
            for length in (
                b"", b"-2", b"+2", b"2_0", b"0x2", b"2 2", b"2,2", b"2.0", b"\xb2", b"00000000002",
                str(MAX_BODY + 1).encode(), b"999999", b"9" * 40,
            )
        ),
    ],
    ids=lambda head: repr(b" | ".join(head))[2:70],
)  # fmt: skip
def test_other_requests_are_left_to_gunicorn(head: tuple[bytes, ...]) -> None:
    assert read(request(head=head)) is None


def test_request_of_the_longest_body_is_plain() -> None:
    plain = read(request(head=(START, HOST, b"Content-Length: %d" % MAX_BODY)))
    assert plain is not None
    assert plain.end - plain.start == MAX_BODY


def test_head_that_is_not_all_there_is_left_to_gunicorn() -> None:
    data = request()
    for end in range(data.index(b"{}")):
        assert read(data[:end]) is None


@pytest.mark.parametrize("data", heads.KNOWN, ids=lambda data: repr(data)[2:60])
def test_heads_that_have_broken_servers_are_read_alike(data: bytes) -> None:
    assert_same(data)


def test_hundred_thousand_heads_are_read_alike() -> None:
    random = Random(17)
    plain = sum(assert_same(heads.generated(random)) for _ in range(100_000))
    # A fuzzer of which hardly anything is plain would show nothing, nor would one of which all is.
    assert 10_000 < plain < 90_000
