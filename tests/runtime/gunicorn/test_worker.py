"""The worker over sockets, in this process: what it serves, refuses, sheds and closes."""

import json
import logging
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket
from gunicorn import util
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from runtime.gunicorn.bodies import LEFT_BYTES
from runtime.gunicorn.worker import FAREWELL_SECONDS, Worker

GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Listener:
    """Where the worker was reached."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 8000


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the body; leave that of /unread alone, and fail at /broken."""
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("a fault of the application")
    content = b"" if environ["PATH_INFO"] == "/unread" else environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(content)))])
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


@pytest.fixture
def clients() -> Iterator[Clients]:
    cfg = Config()
    cfg.set("loglevel", "critical")
    cfg.set("keepalive", 75)
    worker = Worker(1, os.getppid(), [], None, 30, cfg, Logger(cfg))
    worker.wsgi = application
    made = Clients(worker)
    yield made
    made.close()
    worker.tmp.close()


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


def test_requests_follow_each_other_on_a_connection(clients: Clients) -> None:
    client = clients.connect()
    for body in (b"one", b"two"):
        client.sendall(post("/x", 3, body))
        status, headers, answer = read(client)
        assert (status, answer, headers["Connection"]) == (200, body, "keep-alive")
        assert headers["Date"].endswith(" GMT")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_request"),
        (b"GET /x HTTP/1.2\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\0b\r\n\r\n", 401, "invalid_key"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "bad_request"),
        (b"GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n", 503, "unavailable"),
    ],
)
def test_what_cannot_be_served_is_answered_in_the_shape_of_errors(
    clients: Clients, sent: bytes, status: int, code: str
) -> None:
    client = clients.connect()
    client.sendall(sent)
    answered, headers, body = read(client)
    assert (answered, json.loads(body)["code"], headers["Connection"]) == (status, code, "close")
    assert client.recv(1) == b""


BAD_HOSTS = [
    "",
    " ",
    "a b",
    "local host:80",
    ":80",
    "a:b",
    "user@localhost",
    "localhost/x",
    "a,b c",
    "[::1",
    "h\u00f6st",
]
GOOD_HOSTS = ["localhost", "events_1:8000", "192.0.2.7:", "[::1]:80", "xn--bcher-kva.example.", "a%20b"]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("host", BAD_HOSTS)
def test_host_that_could_be_none_is_refused(clients: Clients, version: str, host: str) -> None:
    client = clients.connect()
    client.sendall(f"GET /x HTTP/{version}\r\nHost:{host}\r\n\r\n".encode())
    status, headers, body = read(client)
    assert (status, headers["Connection"]) == (400, "close")
    assert "Host" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "host", ["localhost", "events_1:8000", "192.0.2.7:", "[::1]:80", "xn--bcher-kva.example.", "a%20b"]
)
def test_any_name_or_address_is_a_host(clients: Clients, host: str) -> None:
    client = clients.connect()
    client.sendall(f"GET /x HTTP/1.1\r\nhost:\t{host} \r\n\r\n".encode())
    assert read(client)[0] == 200


@pytest.mark.parametrize(("version", "status"), [("1.1", 400), ("1.0", 200)])
def test_host_is_required_of_http_1_1_alone(clients: Clients, version: str, status: int) -> None:
    client = clients.connect()
    client.sendall(f"GET /x HTTP/{version}\r\nX: y\r\n\r\n".encode())
    assert read(client)[0] == status


@pytest.mark.parametrize(
    ("options", "promise"),
    [
        ("close", "close"),
        ("TE, close", "close"),
        ("Close,", "close"),
        (",\tCLOSE , TE", "close"),
        ("keep-alive\r\nConnection: close", "close"),
        ("keep-alive", "keep-alive"),
        ("TE", "keep-alive"),
        ("x-close, closed", "keep-alive"),
    ],
)
def test_client_that_says_close_anywhere_is_closed(clients: Clients, options: str, promise: str) -> None:
    client = clients.connect()
    client.sendall(f"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: {options}\r\n\r\n".encode())
    assert read(client)[1]["Connection"] == promise
    if promise == "close":
        assert client.recv(1) == b""


def test_client_that_waits_is_told_to_go_on_only_where_its_body_is_read(clients: Clients) -> None:
    for path, told, promise in (("/x", b"HTTP/1.1 100 Continue\r\n\r\n", "keep-alive"), ("/unread", b"", "close")):
        client = clients.connect()
        client.sendall(post(path, 2).replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n"))
        if told:
            assert client.recv(1000) == told
            client.sendall(b"ok")
        status, headers, _ = read(client)
        assert (status, headers["Connection"]) == (200, promise)


def test_client_that_waits_and_has_sent_its_body_is_told_nothing(clients: Clients) -> None:
    for path in ("/x", "/unread"):
        client = clients.connect()
        client.sendall(post(path, 2, b"ok").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        status, headers, _ = read(client)
        assert (status, headers["Connection"]) == (200, "keep-alive")


def test_short_rest_of_a_body_is_discarded_and_the_connection_goes_on(clients: Clients) -> None:
    client = clients.connect()
    for path, sent, answered in (("/unread", b"x" * 100, b""), ("/x", b"ok", b"ok")):
        client.sendall(post(path, len(sent), sent))
        assert read(client)[2] == answered


@pytest.mark.parametrize(("path", "status"), [("/unread", 200), ("/broken", 503)])
def test_connection_ends_behind_a_long_rest_of_a_body(clients: Clients, path: str, status: int) -> None:
    client = clients.connect()
    client.sendall(post(path, LEFT_BYTES + 1, b"x" * (LEFT_BYTES + 1)))
    answered, headers, _ = read(client)
    assert (answered, headers["Connection"]) == (status, "close")
    assert client.recv(1) == b""


def test_worker_that_stops_reads_on_after_an_answer_that_ends_the_connection(clients: Clients) -> None:
    clients.worker.alive = False
    client = clients.connect()
    client.sendall(post("/unread", 5, b"hel"))
    answered, headers, _ = read(client)
    assert (answered, headers["Connection"]) == (200, "close")
    client.sendall(b"lo")
    assert client.recv(1) == b""


def test_idle_connections_are_closed_once_they_are_late(clients: Clients) -> None:
    client = clients.connect()
    clients.worker.notify()
    client.sendall(GET)
    assert read(client)[0] == 200
    for waiting in clients.worker._idle_since:
        clients.worker._idle_since[waiting] -= 76
    clients.worker.notify()
    assert client.recv(1) == b""


def test_request_that_has_arrived_is_served_though_its_connection_is_late(clients: Clients) -> None:
    client = clients.connect()
    client.sendall(GET)  # and the worker has had no time to look
    for waiting in clients.worker._idle_since:
        clients.worker._idle_since[waiting] -= 76
    clients.worker.notify()
    assert read(client)[0] == 200
    assert client.recv(1) == b""


def test_one_that_is_told_to_stop_waits_for_idle_connections_no_longer_than_a_moment(clients: Clients) -> None:
    client = clients.connect()
    gevent.sleep(0.01)
    for waiting in clients.worker._idle_since:
        clients.worker._idle_since[waiting] -= FAREWELL_SECONDS
    clients.worker.alive = False
    clients.worker.notify()
    assert client.recv(1) == b""


def test_too_many_connections_are_shed_and_one_that_idles_for_long_makes_room(clients: Clients) -> None:
    clients.worker.max_clients = 2
    first, second = clients.connect(), clients.connect()
    shed = clients.connect()
    status, headers, body = read(shed)
    assert (status, json.loads(body)["code"], headers["Retry-After"]) == (503, "unavailable", "2")
    waiting = next(iter(clients.worker._idle_since))
    clients.worker._idle_since[waiting] -= FAREWELL_SECONDS
    third = clients.connect()
    assert first.recv(1) == b""
    for client in (second, third):
        client.sendall(GET)
        assert read(client)[0] == 200


def test_second_signal_to_stop_is_ignored(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []
    monkeypatch.setattr(GeventWorker, "handle_quit", lambda self, sig, frame: stopped.append(sig))
    clients.worker.handle_quit(signal.SIGINT, None)
    clients.worker.handle_quit(signal.SIGQUIT, None)
    assert stopped == [signal.SIGINT]


def test_date_is_the_one_of_the_second() -> None:
    assert util.http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert util.http_date(0.9) == util.http_date(0)
    assert util.http_date(1) == "Thu, 01 Jan 1970 00:00:01 GMT"


def test_settings_are_plain_attributes(clients: Clients) -> None:
    assert vars(clients.worker.cfg)["keepalive"] == 75
    logging.getLogger("gunicorn.error").handlers.clear()
