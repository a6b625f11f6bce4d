"""Reads a client's bytes within limits of time and size, including those that the application leaves unread."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import gevent
from gevent.monkey import get_original
from gunicorn.http import errors

# A whole body has to arrive in this time, so that a client which sends one byte a second cannot hold a connection
# for ever. 8 MiB, the largest batch, need 2.2 Mbit/s.
BODY_SECONDS = 30.0
# After an answer that ends the connection, read on from the client for this long and up to this many bytes.
LINGER_SECONDS = 2.0
LINGER_STEP = 64 * 1024
LINGER_BYTES = 16 * 1024 * 1024
# Up to this many bytes that the application did not read are read out before the answer, if they come within
# `LINGER_SECONDS`. If more are left, the answer says that the connection ends.
LEFT_BYTES = 64 * 1024
# Tells a client that sent `Expect: 100-continue` to send its body. It is said when the body is first read.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# The socket that gevent has not replaced.
_Socket: type[socket.socket] = get_original("socket", "socket")


class Body(Protocol):
    """A request's body as gunicorn hands it to the application; `failed` ends the connection after the answer."""

    failed: bool
    # Reads the framing; that of a body with a Content-Length has what is left of it as `length`.
    reader: Any

    def read(self, size: int | None = None) -> bytes:
        """Return up to `size` bytes. Raises OSError or ParseException where the connection or the framing breaks."""


class BoundedSocket:
    """A client's socket whose reads must all be over by a given moment, also those of a client that sends steadily."""

    def __init__(self, sock: Any, seconds: float, *, is_awaited: bool = False) -> None:
        """Bound the reads of `sock`. If `is_awaited`, the client waits to be told to send its body."""
        self._sock = sock
        self._is_awaited = is_awaited
        self._is_unwanted = False
        self._until = time.monotonic() + seconds
        # The client has closed its side in the middle of the body.
        self.is_at_end = False

    def hurry(self, seconds: float) -> None:
        """Read only to be rid of the body from now on: for `seconds`, and without asking for what was not sent yet."""
        self._until = min(self._until, time.monotonic() + seconds)
        self._is_unwanted = True

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes that have arrived. Raises TimeoutError when the time is up."""
        left = self._until - time.monotonic()
        if left <= 0 or (self._is_awaited and self._is_unwanted):
            raise TimeoutError("the time for the body is up")
        if self._is_awaited:
            self._is_awaited = False
            self._sock.sendall(CONTINUE)
        before = self._sock.gettimeout()
        self._sock.settimeout(left)
        try:
            # Otherwise a client that always has more to send would keep the other clients from their turn.
            gevent.sleep(0)
            data: bytes = self._sock.recv(size)
            self.is_at_end = not data
            return data
        finally:
            self._sock.settimeout(before)


@contextmanager
def sending_within(sock: Any, seconds: float) -> Iterator[None]:
    """Bound each `sendall` of a client's socket meanwhile, which then raises TimeoutError.

    A client that reads nothing would else keep its connection for ever, and with enough of them everybody's.
    """
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        yield
    finally:
        with suppress(OSError):
            sock.settimeout(before)


def leave_unread(body: Body) -> None:
    """Tell the worker not to read the rest of `body`; the answer then says that the connection ends."""
    body.failed = True


def arrived(body: Any) -> bytes:
    """Return what has come of a body whose reading broke off, and which nobody was given; b"" of any other stream.

    Gunicorn collects it in steps: the body has the finished ones, and its reader what has come of the last.
    """
    reader = getattr(body, "reader", None)
    if reader is None:
        return b""
    # Behind a body with a Content-Length nothing else can have come, for it is not whole.
    last = reader.unreader.buf if hasattr(reader, "length") else reader.buf
    return bytes(body.buf.getvalue() + last.getvalue())


def read_out(body: Body, sock: BoundedSocket) -> bool:
    """Read what the application left of a body, at most `LEFT_BYTES`. Return whether the body is at its end.

    If it is not, nobody can tell where the next request begins, and the connection has to end. Gunicorn itself would
    read all of it, in small steps, however much a client sends.
    """
    if body.failed:
        return False
    if getattr(body.reader, "length", 0) > LEFT_BYTES:
        leave_unread(body)
        return False
    sock.hurry(LINGER_SECONDS)
    try:
        body.failed = len(body.read(LEFT_BYTES + 1)) > LEFT_BYTES or sock.is_at_end
    except (OSError, errors.ParseException):
        body.failed = True
    return not body.failed


def end_reading(sock: Any) -> None:
    """Let whoever reads from a client's socket come to its end, behind what has arrived.

    Gevent's own `shutdown` would raise an error in the greenlet that waits, whatever has arrived.
    """
    with suppress(OSError), _Socket(fileno=os.dup(sock.fileno())) as plain:
        plain.shutdown(socket.SHUT_RD)


def linger(sock: Any, seconds: float = LINGER_SECONDS) -> None:
    """Read on for up to `seconds` before the socket is closed.

    Otherwise a client that is still sending would get a reset, and could lose the answer.
    """
    with suppress(OSError), gevent.Timeout(seconds, False):
        sock.shutdown(socket.SHUT_WR)
        for _ in range(LINGER_BYTES // LINGER_STEP):
            if not sock.recv(LINGER_STEP):
                return
            gevent.sleep(0)
