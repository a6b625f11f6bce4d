"""Heads of requests: generated ones, valid, odd and hostile, and those with which servers were attacked."""

from random import Random

START = b"POST /api/collect HTTP/1.1"
_STARTS = (
    b"POST /api/collect HTTP/1.0",
    b"POST /api/collect?x=1 HTTP/1.1",
    b"POST  /api/collect HTTP/1.1",
    b"POST /api/collect HTTP/1.1 ",
    b"\tPOST /api/collect HTTP/1.1",
    b"GET /api/collect HTTP/1.1",
    b"POST /api/collect/batch HTTP/1.1",
    b"POST http://localhost/api/collect HTTP/1.1",
    b"\r\nPOST /api/collect HTTP/1.1",
)
_HARMLESS = (
    b"Accept: */*",
    b"Accept-Encoding: gzip, deflate",
    b"Authorization: Bearer thrad_live_x_y",
    b"Connection: keep-alive",
    b"Content-Type: application/json; charset=utf-8",
    b"User-Agent: Go-http-client/1.1",
    b"X-Forwarded-For: 192.0.2.1",
    b"X-Request-Id: 7f",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
_NAMES = (
    b"Host", b"host", b"HOST", b"Content-Length", b"content-length", b"Content_Length", b"Content-Type", b"Connection",
    b"Transfer-Encoding", b"Transfer_Encoding", b"Expect", b"Upgrade", b"Te", b"Trailer", b"X-A", b"x-a", b"x_a",
    b"X A", b"", b"X\xe9", b"X\0", b"X-Forwarded-Proto", b"Script-Name", b"SCRIPT_NAME", b"Remote-Addr", b"Cookie",
    b"Keep-Alive", b"Proxy-Connection", b"HTTP2-Settings", b"wsgi.input", b"Content-Encoding", b"X!", b"1", b"-",
)  # fmt: skip
_VALUES = (
    b"2", b"02", b"0", b" 2 ", b"2\t", b"+2", b"-1", b"2,2", b"2, 2", b"0x2", b"1e1", b"\xb2", b"keep-alive",
    b"Keep-Alive", b"close", b"keep-alive, close", b"upgrade", b"chunked", b"identity", b"localhost", b"localhost:80",
    b"", b" ", b"a b", b"100-continue", b"h2c", b"\x0b2", b"2\x0c", b"\x01", b"\x7f", b"\xff", b"a\rb", b"a\nb",
    b"a\0b", b"a\r\n b", b"[::1]",
)  # fmt: skip
_COLONS = (b":", b": ", b":\t", b" :", b"", b"::", b":  ")
_ENDS = (b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\n\r\n", b"\r\n\t")


def generated(random: Random) -> bytes:
    """A request, more or less as it should be: most have one or two oddities, and some are changed in one byte."""
    lines = [b"Host: localhost", b"Content-Length: 2", *random.sample(_HARMLESS, random.randrange(4))]
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        line = random.choice(_NAMES) + random.choice(_COLONS if random.random() < 0.3 else _COLONS[:3])
        lines.append(line + random.choice(_VALUES))
    if random.random() < 0.1:
        del lines[random.randrange(len(lines))]
    random.shuffle(lines)
    start = START if random.random() < 0.9 else random.choice(_STARTS)
    end = b"\r\n" if random.random() < 0.93 else random.choice(_ENDS)
    data = end.join([start, *lines]) + b"\r\n\r\n{}" + random.choice((b"", b"", b"behind", b"GET / HTTP/1.1\r\n\r\n"))
    if random.random() < 0.3:
        at = random.randrange(len(data))
        data = random.choice((data[:at] + bytes([random.randrange(256)]) + data[at + 1 :], data[:at] + data[at + 1 :],
                              data[:at] + bytes([random.randrange(256)]) + data[at:], data[:at]))  # fmt: skip
    return data


def _post(*lines: bytes, end: bytes = b"\r\n", rest: bytes = b"{}") -> bytes:
    return end.join([START, b"Host: localhost", *lines, b"", rest])


# Shapes from RFC 9112 (section 11.2), from the published attacks of CL.TE, TE.CL, TE.TE and CL.0, and from the
# advisories of Node (llhttp), HAProxy, Apache Traffic Server, Waitress and gunicorn.
KNOWN = (
    _post(b"Content-Length: 6", b"Transfer-Encoding: chunked", rest=b"0\r\n\r\nG"),
    _post(b"Transfer-Encoding: chunked", b"Content-Length: 3", rest=b"8\r\nSMUGGLED\r\n0\r\n\r\n"),
    _post(b"Content-Length: 4", b"Transfer-Encoding: xchunked"),
    _post(b"Content-Length: 4", b"Transfer-Encoding : chunked"),
    _post(b"Content-Length: 4", b"Transfer-Encoding:\tchunked"),
    _post(b"Content-Length: 4", b"Transfer-Encoding: chunked", b"Transfer-encoding: x"),
    _post(b"Content-Length: 4", b"X: X\nTransfer-Encoding: chunked"),
    _post(b"Content-Length: 4", b"X: X\rTransfer-Encoding: chunked"),
    _post(b"Content-Length: 4", b"Transfer-Encoding\x00: chunked"),
    _post(b"Content-Length: 4", b"Transfer-Encoding: \x0bchunked"),
    _post(b"Content-Length: 4", b" Transfer-Encoding: chunked"),
    _post(b"Content-Length: 4", b"Foo: bar", b" Transfer-Encoding: chunked"),
    _post(b"Content-Length: 4", b"Transfer-Encoding: chunk\xc5\xbfed"),
    _post(b"Content-Length: 2", b"Content-Length: 7", rest=b"{}GET /"),
    _post(b"Content-Length: 2, 7"),
    _post(b"Content-Length: +2"),
    _post(b"Content-Length: 2 7"),
    _post(b"Content-Length : 2"),
    _post(b"Content-Length: 2\x00"),
    _post(b"Content-Length: 0x2"),
    _post(b"Content-Length: 2\n", b"X: y"),
    _post(b"Content-Length:", b" 2"),
    _post(b"Content-Length: 18446744073709551618"),
    _post(b"Content\xadLength: 2"),
    _post(b"Content_Length: 7", b"Content-Length: 2"),
    _post(b"Content-Length: 2", b":", b"X: y"),
    _post(b"Content-Length: 2", b"Connection: Content-Length"),
    _post(b"Content-Length: 2", b"Connection: close, keep-alive"),
    _post(b"Content-Length: 2", b"Host: elsewhere"),
    _post(b"Content-Length: 2", b"Host : elsewhere"),
    _post(b"Content-Length: 2", end=b"\n"),
    _post(b"Content-Length: 2", b"Expect: 100-continue"),
    _post(b"Content-Length: 2", b"Expect: x"),
    _post(b"Content-Length: 2", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
    _post(b"Content-Length: 2", b"X: " + b"x" * 3_000),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + _post(b"Content-Length: 2"),
)
