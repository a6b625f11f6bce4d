"""A client's bytes, read within bounds."""

import socket

import pytest

from runtime.gunicorn import bodies


class Body:
    """A request's body as gunicorn hands it on."""

    def __init__(self, content: bytes = b"", error: BaseException | None = None) -> None:
        self.failed = False
        self._content = content
        self._error = error

    def read(self, size: int | None = None) -> bytes:
        if self._error is not None:
            raise self._error
        return self._content[:size]


def test_body_has_to_be_there_in_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounded = bodies.BoundedSocket(ours, 0.2)
        theirs.sendall(b"some")
        assert bounded.recv(100) == b"some"
        with pytest.raises(TimeoutError):
            bounded.recv(100)
        assert ours.gettimeout() is None


@pytest.mark.parametrize(("unread", "ends"), [(0, False), (bodies.LEFT_BYTES, False), (bodies.LEFT_BYTES + 1, True)])
def test_rest_of_a_body_is_discarded_within_a_bound(unread: int, ends: bool) -> None:
    body = Body(b"x" * unread)
    bodies.discard_rest(body)
    assert body.failed is ends


def test_body_whose_framing_breaks_ends_the_connection() -> None:
    body = Body(error=TimeoutError())
    bodies.discard_rest(body)
    assert body.failed


def test_body_that_is_left_unread_is_not_read() -> None:
    body = Body(error=AssertionError("read"))
    bodies.leave_unread(body)
    bodies.discard_rest(body)
    assert body.failed
