"""A client's bytes, read within bounds."""

import io
import socket
from collections.abc import Iterator

import pytest
from gunicorn.http.body import Body as GunicornBody
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import InvalidChunkSize, NoMoreData
from gunicorn.http.unreader import SocketUnreader

from runtime.gunicorn import bodies


class Body:
    """A request's body as gunicorn hands it on; what it says of its length is the reader's."""

    def __init__(self, content: bytes = b"", error: BaseException | None = None, length: int = 0) -> None:
        self.failed = False
        self.length = length
        self.reader = self
        self._content = content
        self._error = error

    def read(self, size: int | None = None) -> bytes:
        if self._error is not None:
            raise self._error
        return self._content[:size]


@pytest.fixture
def pair() -> Iterator[tuple[bodies.BoundedSocket, socket.socket]]:
    """Our end of a connection, bounded, and the client's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield bodies.BoundedSocket(ours, 10), theirs


def test_body_has_to_be_there_in_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounded = bodies.BoundedSocket(ours, 0.2)
        theirs.sendall(b"some")
        assert bounded.recv(100) == b"some"
        with pytest.raises(TimeoutError):
            bounded.recv(100)
        assert ours.gettimeout() is None


def test_client_that_never_stops_sending_is_cut_too(pair: tuple[bodies.BoundedSocket, socket.socket]) -> None:
    bounded, theirs = pair
    theirs.sendall(b"more")
    bounded.hurry(0)
    with pytest.raises(TimeoutError):
        bounded.recv(100)
    bounded.hurry(10)
    with pytest.raises(TimeoutError):
        bounded.recv(100)


@pytest.mark.parametrize(("unread", "is_over"), [(0, True), (bodies.LEFT_BYTES, True), (bodies.LEFT_BYTES + 1, False)])
def test_rest_of_a_body_is_read_out_within_a_bound(
    pair: tuple[bodies.BoundedSocket, socket.socket], unread: int, is_over: bool
) -> None:
    body = Body(b"x" * unread)
    assert bodies.read_out(body, pair[0]) is is_over
    assert body.failed is not is_over


@pytest.mark.parametrize(
    "body",
    [
        Body(error=TimeoutError()),
        Body(error=NoMoreData()),
        Body(error=InvalidChunkSize(b"x")),
        Body(error=AssertionError("read although it is too long"), length=bodies.LEFT_BYTES + 1),
    ],
)
def test_body_that_does_not_come_to_its_end_ends_the_connection(
    pair: tuple[bodies.BoundedSocket, socket.socket], body: Body
) -> None:
    assert not bodies.read_out(body, pair[0])
    assert body.failed


def test_body_that_is_left_unread_is_not_read(pair: tuple[bodies.BoundedSocket, socket.socket]) -> None:
    body = Body(error=AssertionError("read"))
    bodies.leave_unread(body)
    assert not bodies.read_out(body, pair[0])


def test_client_that_closes_in_the_middle_of_its_body_has_not_sent_it(
    pair: tuple[bodies.BoundedSocket, socket.socket],
) -> None:
    bounded, theirs = pair
    theirs.sendall(b"some")
    assert bounded.recv(100) == b"some"
    theirs.shutdown(socket.SHUT_WR)
    assert bounded.recv(100) == b""
    assert not bodies.read_out(Body(), bounded)


def test_client_that_waits_to_be_told_is_told_once_when_its_body_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounded = bodies.BoundedSocket(ours, 10, is_awaited=True)
        theirs.settimeout(10)
        theirs.sendall(b"ab")
        assert (bounded.recv(1), bounded.recv(1)) == (b"a", b"b")
        ours.close()
        assert theirs.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert theirs.recv(100) == b""


def test_body_that_nobody_wants_is_not_asked_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounded = bodies.BoundedSocket(ours, 10, is_awaited=True)
        bounded.hurry(10)
        with pytest.raises(TimeoutError):
            bounded.recv(1)
        ours.close()
        assert theirs.recv(100) == b""


class Source:
    """Where gunicorn reads from: some pieces, then a silence."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def recv(self, _size: int) -> bytes:
        if not self._pieces:
            raise TimeoutError
        return self._pieces.pop(0)


@pytest.mark.parametrize(
    ("pieces", "came"),
    [((), b""), ((b"a", b"bc"), b"abc"), ((b"x" * 3_000, b"y"), b"x" * 3_000 + b"y")],
)
def test_what_came_of_a_body_that_broke_off(pieces: tuple[bytes, ...], came: bytes) -> None:
    with_length = GunicornBody(LengthReader(SocketUnreader(Source(*pieces)), 10_000))
    chunked = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    in_chunks = GunicornBody(ChunkedReader(None, SocketUnreader(Source(*chunked))))
    for body in (with_length, in_chunks):
        with pytest.raises(TimeoutError):
            body.read(9_000)
        assert bodies.arrived(body) == came


def test_nothing_came_of_a_stream_that_is_not_gunicorn_s() -> None:
    assert bodies.arrived(io.BytesIO(b"some")) == b""
