"""Connections, on both ways of a worker: what is served, refused and read out, and whether the connection goes on."""

import json
import re

import gevent
import pytest

from runtime.gunicorn.bodies import LEFT_BYTES
from tests.runtime.gunicorn.serving import Clients, post, read


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


@pytest.mark.parametrize("parts", [1, 2, 3, 40])
def test_body_may_come_in_parts_and_the_head_too(clients: Clients, parts: int) -> None:
    for body in (b"one", b"x" * 100, b""):
        client = clients.connect()
        data = post("/x", len(body), body)
        size = len(data) // parts + 1
        for start in range(0, len(data), size):
            client.sendall(data[start : start + size])
            gevent.sleep(0.002)
        status, headers, answer = read(client)
        assert (status, headers["Connection"], answer) == (200, "keep-alive", body)


@pytest.mark.parametrize("path", ["/x", "/unread"])
@pytest.mark.parametrize("cut", [1, 3])
def test_next_request_may_come_with_the_rest_of_a_body(clients: Clients, path: str, cut: int) -> None:
    client = clients.connect()
    data = post(path, 4, b"body") + post("/x", 5, b"after") + post("/x?not=plain", 5, b"third") + post("/x", 4, b"last")
    at = data.index(b"body") + cut
    client.sendall(data[:at])
    gevent.sleep(0.01)
    client.sendall(data[at:])
    received = b""
    while not received.endswith(b"last"):
        received += client.recv(65_536)
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"body" if path == "/x" else b"", b"after", b"third", b"last"]


def test_requests_that_are_sent_at_once_are_answered_in_their_order(clients: Clients) -> None:
    client = clients.connect()
    sent = [b"%d" % number for number in range(20)]
    # Every third of them is not plain.
    client.sendall(b"".join(post("/x" if n % 3 else "/x?y", len(body), body) for n, body in enumerate(sent)))
    received = b""
    while received.count(b"HTTP/1.1 200 OK") < len(sent) or not received.endswith(sent[-1]):
        received += client.recv(65_536)
    assert [part.rpartition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]] == sent


def test_body_that_does_not_come_in_time_is_not_waited_for(clients: Clients) -> None:
    clients.worker.body_seconds = 0.05
    client = clients.connect()
    client.sendall(post("/x", 5, b"hel"))
    # The application here lets the time-out through; ours answers 408 (tests/e2e/protocol).
    assert client.recv(65_536) == b""


def test_client_that_goes_away_in_its_body_harms_nobody(clients: Clients) -> None:
    gone, client = clients.connect(), clients.connect()
    gone.sendall(post("/unread", 5, b"hel"))
    gone.close()
    client.sendall(post("/x", 2, b"ok"))
    assert read(client)[2] == b"ok"


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nX: b", "a\rX: b", "a\0"])
def test_header_that_would_be_two_is_a_fault_of_ours(clients: Clients, value: str) -> None:
    clients.worker.wsgi.split = value
    client = clients.connect()
    client.sendall(post("/split", 2, b"ok"))
    status, headers, _ = read(client)
    assert (status, headers["Connection"], "X" in headers) == (503, "close", False)


def test_answer_is_the_same_byte_for_byte_on_both_ways(clients: Clients) -> None:
    client = clients.connect()
    for path in ("/x", "/x?not=plain"):
        client.sendall(post(path, 5, b"hello"))
    gevent.sleep(0.05)
    received = client.recv(65_536)
    first, second = received[: len(received) // 2], received[len(received) // 2 :]
    date = rb"Date: [^\r]+"
    assert re.sub(date, b"", first) == re.sub(date, b"", second)
    assert first.endswith(b"\r\n\r\nhello")


def test_worker_that_stops_says_close(clients: Clients) -> None:
    clients.worker.alive = False
    client = clients.connect()
    client.sendall(post("/x", 2, b"ok") * 2)
    status, headers, body = read(client)
    assert (status, headers["Connection"], body) == (200, "close", b"ok")
    assert client.recv(1) == b""


def test_idle_time_counts_from_before_the_first_byte_of_a_head(clients: Clients) -> None:
    client = clients.connect()
    (since,) = clients.worker._idle_since.values()
    for part in (b"POST", b" /x"):
        client.sendall(part)
        gevent.sleep(0.02)
    assert list(clients.worker._idle_since.values()) == [since]


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


def test_client_that_reads_nothing_is_given_up(clients: Clients) -> None:
    clients.worker.body_seconds = 0.1
    client = clients.connect()
    for path in ("/x", "/x?not=plain"):
        client = clients.connect()
        client.settimeout(5)
        # More answers than the buffers of both sides hold.
        data = post(path, 4_000, b"x" * 4_000) * 2_000
        with pytest.raises(OSError):  # noqa: PT011  # a broken pipe or a reset, as the system likes
            client.sendall(data)
