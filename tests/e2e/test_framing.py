"""Requests whose framing two readers could take differently, on raw sockets: refused and cut, or read in one way.

Behind each of them stands a second request. A server that took the first one to be shorter than its sender meant
would serve it, and store an event that nobody sent.
"""

import json
import re

import pytest

from tests.harness.collector import Collector

# What HTTP says, before any database is asked.
pytestmark = pytest.mark.once

BODY = b'{"event_name":"smuggled"}'
CHUNKS = b"19\r\n%s\r\n0\r\n\r\n" % BODY
LENGTH = b"Content-Length: 25"
CHUNKED = b"Transfer-Encoding: chunked"


def request(
    collector: Collector,
    *lines: bytes,
    start: bytes = b"POST /api/collect HTTP/1.1",
    host: bytes | None = b"Host: localhost",
) -> bytes:
    """The head of a request that is good but for `lines`."""
    key = f"Authorization: Bearer {collector.raw_key}".encode()
    return b"\r\n".join([start, *([host] if host else []), key, b"Content-Type: application/json", *lines, b"", b""])


def answers(collector: Collector, data: bytes, *, shut: bool = False) -> list[int]:
    """The statuses of all answers until the server closes the connection; it fails where the server keeps it open."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", collector.raw(data, shut=shut))]


def stored(collector: Collector) -> int:
    return int(collector.rows("SELECT count(*) FROM collect_event WHERE event_name LIKE 'smuggled%'")[0][0])


def assert_refused(collector: Collector, data: bytes, *statuses: int, shut: bool = False) -> None:
    """Fail unless one answer comes, then the connection is closed, and neither this request nor the next left a row."""
    before = stored(collector)
    behind = request(collector, LENGTH) + BODY
    assert answers(collector, data if shut else data + behind, shut=shut) in [[status] for status in statuses]
    assert stored(collector) == before


def test_host_is_required_of_http_1_1_alone(collector: Collector) -> None:
    """RFC 9112, section 3.2; HTTP/1.0 knows no Host."""
    before = stored(collector)
    for path in (b"/api/collect", b"/api/collect/batch", b"/api/collect/validate"):
        head = request(collector, LENGTH, start=b"POST %s HTTP/1.1" % path, host=None)
        assert answers(collector, head + BODY, shut=True) == [400]
    assert stored(collector) == before
    head = request(collector, LENGTH, start=b"POST /api/collect HTTP/1.0", host=None)
    assert collector.raw(head + BODY).startswith(b"HTTP/1.0 204 ")
    assert stored(collector) == before + 1


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 4", CHUNKED],
        [CHUNKED, b"Content-Length: 4"],
        [CHUNKED, CHUNKED],
        [b"Transfer-Encoding: chunked, chunked"],
        [CHUNKED, b"Transfer-Encoding: identity"],
        [CHUNKED, b"Transfer-Encoding: x"],
        [b"Transfer-Encoding: chunked, gzip"],
        [b"Transfer-Encoding: identity", LENGTH],
        [b"Transfer-Encoding: xchunked"],
        [b'Transfer-Encoding: "chunked"'],
        [b"Transfer-Encoding: chunked;q=1"],
        [b"Transfer-Encoding: ,chunked"],
        [b"Transfer-Encoding:", LENGTH],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"Transfer-Encoding : chunked"],
        [b" Transfer-Encoding: chunked"],
        [b"Transfer-Encoding:\r\n chunked"],
        [b"X: a\r\n\tb", LENGTH],
        [b"X: a\nTransfer-Encoding: chunked", LENGTH],
        [b"X: a\rTransfer-Encoding: chunked", LENGTH],
        [b"X: a\0b", LENGTH],
        [b"X\0: a", LENGTH],
        [b"X", LENGTH],
        [b"Host: elsewhere", LENGTH],
        [b"Content-Type: text/plain", LENGTH],
        [LENGTH, LENGTH],
        [LENGTH, b"Content-Length: 2"],
        [b"Content-Length: 25, 25"],
        [b"Content-Length: -25"],
        [b"Content-Length: 2_5"],
        [b"Content-Length: \xb2\xb5"],
        [b"Content-Length: 25 25"],
    ],
    ids=lambda lines: repr(b" | ".join(lines))[2:-1],
)
def test_request_smuggling_shapes_leave_no_row(collector: Collector, lines: list[bytes]) -> None:
    assert_refused(collector, request(collector, *lines) + CHUNKS, 400, 501)


def test_transfer_coding_that_nobody_decodes_is_refused(collector: Collector) -> None:
    assert_refused(collector, request(collector, b"Transfer-Encoding: gzip, chunked") + CHUNKS, 400, 415, 501)


def test_lines_that_end_in_a_bare_line_feed_are_refused(collector: Collector) -> None:
    assert_refused(collector, request(collector, LENGTH).replace(b"\r\n", b"\n") + BODY, 400)


@pytest.mark.parametrize("start", [b"POST /api/collect HTTP/1.0", b"POST /api/collect HTTP/2.0", b"POST /api/collect"])
def test_chunked_body_of_another_version_is_refused(collector: Collector, start: bytes) -> None:
    assert_refused(collector, request(collector, CHUNKED, start=start) + CHUNKS, 400)


def test_huge_head_is_refused(collector: Collector) -> None:
    assert_refused(collector, request(collector, b"X: " + b"x" * 9_000, LENGTH) + BODY, 431)
    assert_refused(collector, request(collector, *[b"X%d: x" % n for n in range(110)], LENGTH) + BODY, 431)


def test_content_length_of_any_size_is_too_large(collector: Collector) -> None:
    for digits in (40, 5_000):
        assert_refused(collector, request(collector, b"Content-Length: " + b"9" * digits) + BODY, 413, shut=True)


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n%s\r\n0\r\n\r\n" % BODY,
        b"\r\n%s\r\n0\r\n\r\n" % BODY,
        b"-19\r\n%s\r\n0\r\n\r\n" % BODY,
        b"0x19\r\n%s\r\n0\r\n\r\n" % BODY,
        b"19 \r\n%s\r\n0\r\n\r\n" % BODY,
        b"1_9\r\n%s\r\n0\r\n\r\n" % BODY,
        b"18\r\n%s\r\n0\r\n\r\n" % BODY,
        b"19;a\nb\r\n%s\r\n0\r\n\r\n" % BODY,
        b"19\r\n%s\r\n0\r\nContent-Length: 5\r\n\r\n" % BODY,
        b"19\r\n%s\r\n0\r\nAuthorization: Bearer x\r\n\r\n" % BODY,
    ],
)
def test_chunks_that_are_none_leave_no_row(collector: Collector, chunks: bytes) -> None:
    assert_refused(collector, request(collector, CHUNKED) + chunks, 400)


@pytest.mark.parametrize(
    "chunks",
    [
        b"19\r\n%s\r\n" % BODY,
        b"19\r\n%s\r\n0\r\n" % BODY,
        b"19\r\n%s" % BODY,
        b"1a\r\n%s\r\n0\r\n\r\n" % BODY,
        b"19\n%s\n0\n\n" % BODY,
        b"f" * 16 + b"\r\n" + BODY,
        b"f" * 8_000 + b"\r\n" + BODY,
        b"f" * 20_000,
        b"",
    ],
)
def test_chunked_body_without_its_end_leaves_no_row(collector: Collector, chunks: bytes) -> None:
    assert_refused(collector, request(collector, CHUNKED) + chunks, 400, shut=True)


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ([b"TRANSFER-ENCODING:\tCHUNKED"], CHUNKS),
        ([CHUNKED], b'019;name="a;b"\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n' % BODY),
        ([CHUNKED, b"Content_Length: 4"], CHUNKS),
        ([b"Transfer_Encoding: chunked", LENGTH], BODY),
        ([b"Content-Length: 0025"], BODY),
    ],
)
def test_framing_that_is_only_unusual_is_read_in_one_way(collector: Collector, lines: list[bytes], body: bytes) -> None:
    before = stored(collector)
    behind = request(collector, b"Connection: close", b"Content-Length: 26") + BODY.replace(b"d", b"d2")
    assert answers(collector, request(collector, *lines) + body + behind) == [204, 204]
    assert stored(collector) == before + 2


def test_target_in_absolute_form_is_read_by_its_path_alone(collector: Collector) -> None:
    end = [b"Connection: close", LENGTH]
    start = b"POST http://elsewhere.example/api/collect HTTP/1.1"
    assert answers(collector, request(collector, *end, start=start) + BODY) == [204]
    start = b"POST http://elsewhere.example/nowhere HTTP/1.1"
    assert answers(collector, request(collector, *end, start=start) + BODY) == [404]
    assert_refused(collector, request(collector, LENGTH, start=b"POST localhost:80 HTTP/1.1") + BODY, 400)


def test_garbage_in_a_body_that_nobody_reads_is_answered_once(collector: Collector) -> None:
    """The key is refused before the body is looked at; what then turns out to be no chunk must not be answered too."""
    head = request(collector, CHUNKED).replace(collector.raw_key.encode(), b"nobody")
    assert (
        json.loads(collector.raw(head + b"zz\r\n\r\n", shut=False).partition(b"\r\n\r\n")[2])["code"] == "invalid_key"
    )
