"""A worker without a master, and clients of it over sockets, in this process."""

from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent import socket

from runtime.gunicorn.worker import Worker

GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Listener:
    """Where the worker was reached."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 8000


class Application:
    """Answers with the body; leaves that of /unread alone, and fails at /broken. Notes what it was given."""

    plain_paths = ("/x", "/unread", "/broken", "/split")

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []
        # The header with which it answers /split.
        self.split = ""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environs.append(environ)
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError("a fault of the application")
        content = b"" if environ["PATH_INFO"] == "/unread" else environ["wsgi.input"].read()
        more = [("X-Split", self.split)] if environ["PATH_INFO"] == "/split" else []
        start_response("200 OK", [("Content-Length", str(len(content))), *more])
        return [content]


class Clients:
    """Connections to a worker that no master has started."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._served: list[gevent.Greenlet] = []
        self._sockets: list[Any] = []

    def connect(self) -> Any:
        """A client's end of a connection that the worker serves."""
        ours, theirs = socket.socketpair()
        theirs.settimeout(10)
        self._sockets += [ours, theirs]
        self._served.append(gevent.spawn(self.worker.handle, Listener(), ours, ("192.0.2.7", 4711)))
        gevent.sleep(0.01)
        return theirs

    def close(self) -> None:
        """End all connections, and wait until nobody serves them."""
        for one in self._sockets:
            one.close()
        gevent.killall(self._served, timeout=10)


def post(path: str, length: int, body: bytes = b"") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode() + body


def read(client: Any) -> tuple[int, dict[str, str], bytes]:
    """Read one answer: its status, headers and body."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = client.recv(65_536)
        assert data, received
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers.get("Content-Length", "0")):
        body += client.recv(65_536)
    return int(first.split()[1]), headers, body
