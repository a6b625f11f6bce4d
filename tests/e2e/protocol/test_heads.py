"""Heads that HTTP allows nobody to send, or that ask something of the server, on raw sockets."""

import json

import pytest

from tests.harness.collector import Collector

# What HTTP says, before any database is asked.
pytestmark = pytest.mark.once

EVENT = b'{"event_name":"x"}'
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def refusal(collector: Collector, data: bytes) -> tuple[bytes, str]:
    """The status line of the answer behind which the connection ends, and what it says."""
    head, _, body = collector.raw(data, shut=False).partition(b"\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in head
    return head.partition(b"\r\n")[0], json.loads(body)["detail"]


@pytest.mark.parametrize("host", ["", " ", "local host", "localhost localhost", "localhost/x"])
@pytest.mark.parametrize("path", ["/api/collect", "/livez", "/admin/"])
def test_host_that_is_empty_or_has_a_blank_is_refused(collector: Collector, path: str, host: str) -> None:
    before = collector.count()
    data = collector.head(Host=host, Content_Length=len(EVENT)).replace(b"/api/collect", path.encode(), 1) + EVENT
    line, detail = refusal(collector, data)
    assert line == b"HTTP/1.1 400 Bad Request"
    assert "Host" in detail
    assert collector.count() == before


@pytest.mark.parametrize("version", [b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/0.9"])
def test_version_that_is_not_spoken_is_not_answered_in_kind(collector: Collector, version: bytes) -> None:
    before = collector.count()
    line, detail = refusal(collector, collector.head(Content_Length=18).replace(b"HTTP/1.1", version) + EVENT)
    assert line == b"HTTP/1.1 400 Bad Request"
    assert "version" in detail
    assert collector.count() == before


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("POST", "/api/collect", "nobody", b"401"),
        ("POST", "/api/collect/batch", "nobody", b"401"),
        ("PUT", "/api/collect", "", b"405"),
        ("POST", "/api/nothing", "", b"404"),
        ("POST", "/livez", "", b"405"),
    ],
)
def test_client_whose_request_is_refused_anyway_is_not_told_to_go_on(
    collector: Collector, method: str, path: str, key: str, status: bytes
) -> None:
    head = collector.head(
        Content_Length=len(EVENT), Expect="100-continue", Authorization=f"Bearer {key or collector.raw_key}"
    ).replace(b"POST /api/collect ", f"{method} {path} ".encode(), 1)
    answer = collector.raw(head, shut=False)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("path", ["/api/collect", "/api/collect/batch", "/api/collect/validate"])
def test_client_with_a_good_key_is_told_to_go_on(collector: Collector, path: str) -> None:
    head = collector.head(Content_Length=len(EVENT), Expect="100-continue", Connection="close")
    answer = collector.raw(head.replace(b"/api/collect", path.encode(), 1), shut=True)
    assert answer.startswith(CONTINUE + b"HTTP/1.1 400 ")
