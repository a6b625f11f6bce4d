"""The table of errors (contract, section 2) and abuse by JSON, text and sizes, over real sockets."""

import gzip
import json
from typing import Any

import pytest

from tests.harness.collector import Answer, Collector
from tests.harness.factories import SEED_EVENT

# What HTTP says, before any database is asked.
pytestmark = pytest.mark.once

MIB = 1024 * 1024


def padded(size: int) -> bytes:
    """An event whose body has exactly `size` bytes."""
    frame = json.dumps({"event_name": "x", "params": {"pad": ""}}).encode()
    return frame[:-3] + b"p" * (size - len(frame)) + frame[-3:]


def assert_error(answer: Answer, status: int, code: str, **more: Any) -> Any:
    """Fail unless the answer has the one JSON shape, whole; return its body."""
    assert answer.status == status, answer.body
    body = answer.json()
    assert (body["code"], body["request_id"]) == (code, answer.headers["X-Request-Id"])
    assert set(body) == {"detail", "code", "request_id", *more}
    assert answer.headers["Content-Type"] == "application/json"
    for name, value in more.items():
        assert body[name] == value
    return body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a':1}",
        b'{"event_name":"x","params":{"a":NaN}}',
        b'{"event_name":"x","params":{"a":-Infinity}}',
        b'{"event_name":"x","params":{"a":1e400}}',
        b'{"event_name":"x","params":' + b'{"a":' * 64 + b"1" + b"}" * 65,
        b"[" * 2_000 + b"]" * 2_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"event_name":"\xff"}',
        b'\xef\xbb\xbf{"event_name":"x"}',
        '{"event_name":"x"}'.encode("utf-16"),
        b'{"event_name":"x"} trailing',
    ],
)
def test_invalid_json_is_a_400(collector: Collector, body: bytes) -> None:
    before = collector.count()
    assert_error(collector.post(body), 400, "invalid_json")
    assert collector.count() == before


@pytest.mark.parametrize("body", [b"null", b"1", b'"x"', b"[]"])
def test_body_that_is_no_object_is_a_400(collector: Collector, body: bytes) -> None:
    assert_error(collector.post(body), 400, "invalid_event")


def test_invalid_event_lists_all_faults(collector: Collector) -> None:
    answer = collector.post({"event_id": 1, "consent": "yes"})
    errors = {"event_name": ["required"], "event_id": ["must be a string"], "consent": ["must be an object"]}
    body = assert_error(answer, 400, "invalid_event", errors=errors)
    assert body["detail"] == "event_name: required; event_id: must be a string; consent: must be an object"


def test_depth_of_64_is_stored(collector: Collector) -> None:
    assert collector.post(b'{"event_name":"x","params":' + b'{"a":' * 62 + b"{}" + b"}" * 63).status == 204


@pytest.mark.parametrize("authorization", [None, "", "Basic dXNlcjpwYXNz", "Token abc", "Bearer", "Bearer "])
def test_no_bearer_credential_is_a_missing_token(collector: Collector, authorization: str | None) -> None:
    answer = collector.post(SEED_EVENT, Authorization=authorization)
    body = assert_error(answer, 401, "missing_token")
    assert body["detail"] == "Missing bearer token"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_key_in_query_cookie_or_body_is_a_missing_token(collector: Collector) -> None:
    key = collector.raw_key
    answer = collector.post(
        {**SEED_EVENT, "key": key, "authorization": f"Bearer {key}"},
        f"/api/collect?key={key}&access_token={key}",
        Authorization=None,
        Cookie=f"key={key}; Authorization=Bearer {key}",
    )
    assert_error(answer, 401, "missing_token")
    assert key not in collector.server.log


def test_every_other_cause_of_a_401_is_alike_to_the_byte(collector: Collector) -> None:
    revoked = collector.manage("issue_key", "--partner", "acme", "--label", "gone").strip()
    assert collector.post({"event_name": "x"}, Authorization=f"Bearer {revoked}").status == 204
    foreign = collector.manage("issue_key", "--partner", "acme", "--label", "gone too").strip()
    collector.manage("revoke_key", foreign.rpartition("_")[0])
    key = collector.raw_key
    unknown = "thrad_live_000000000000_" + key.rpartition("_")[2]
    causes = [
        foreign,
        unknown,
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        "x",
        "é",
        "x" * 8_000,
        f"{key}, Bearer {key}",
        f"{key} {key}",
    ]
    answers = [collector.post(SEED_EVENT, Authorization=f"Bearer {cause}", X_Request_Id="same") for cause in causes]
    assert {answer.status for answer in answers} == {401}
    assert {answer.body for answer in answers} == {
        b'{"detail": "Invalid API key", "code": "invalid_key", "request_id": "same"}'
    }
    headers = [{k: v for k, v in answer.headers.items() if k != "Date"} for answer in answers]
    assert all(header == headers[0] for header in headers)
    assert headers[0]["WWW-Authenticate"] == "Bearer"
    for cause in causes:
        assert len(cause) < 20 or cause not in collector.server.log


def test_two_authorization_headers_are_refused(collector: Collector) -> None:
    head = collector.head(Content_Length=18).replace(
        b"\r\nContent-Type", f"\r\nAuthorization: Bearer {collector.raw_key}\r\nContent-Type".encode(), 1
    )
    assert collector.raw(head + b'{"event_name":"x"}').split(b" ")[1] in (b"400", b"401")


def test_unknown_path_is_a_404(collector: Collector) -> None:
    for path in ("/api/collect/", "/api/nothing", "/collect", "/v2/api/collect"):
        assert_error(collector.post(SEED_EVENT, path), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/api/collect", "/v1/api/collect", "/api/collect/validate", "/api/collect/batch"])
def test_other_method_is_a_405_with_or_without_a_key(collector: Collector, method: str, path: str) -> None:
    for authorization in (f"Bearer {collector.raw_key}", None):
        answer = collector.request(method, path, Authorization=authorization)
        assert_error(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("chunked", [False, True])
def test_cap_is_a_mebibyte(collector: Collector, chunked: bool) -> None:
    def send(body: bytes) -> bytes:
        if not chunked:
            return collector.raw(collector.head(Content_Length=len(body), Connection="close") + body)
        head = collector.head(Transfer_Encoding="chunked", Connection="close")
        return collector.raw(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    for size in (65_535, 65_536, 65_537, MIB - 1, MIB):
        assert send(padded(size)).startswith(b"HTTP/1.1 204")
    for size in (MIB + 1, MIB + 500_000):
        answer = send(padded(size))
        assert answer.startswith(b"HTTP/1.1 413")
        assert b'"code": "too_large"' in answer


@pytest.mark.parametrize("sent", [100_000, 2 * MIB, 10 * MIB])
def test_ten_times_the_cap_is_a_413(collector: Collector, sent: int) -> None:
    answer = collector.raw(collector.head(Content_Length=10 * MIB) + b"x" * sent, shut=False)
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/x-ndjson"]
)
def test_other_media_type_is_a_415(collector: Collector, media_type: str | None) -> None:
    assert_error(collector.post(SEED_EVENT, Content_Type=media_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
def test_json_by_any_name_is_accepted(collector: Collector, media_type: str | None) -> None:
    assert collector.post({"event_name": "x"}, Content_Type=media_type).status == 204


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd", "nonsense"])
def test_other_coding_is_a_415(collector: Collector, coding: str) -> None:
    assert_error(collector.post(SEED_EVENT, Content_Encoding=coding), 415, "unsupported_encoding")


def test_gzip_is_welcome_in_one_member_or_two(collector: Collector) -> None:
    body = json.dumps({"event_name": "gzipped"}).encode()
    for packed in (gzip.compress(body), gzip.compress(body[:9]) + gzip.compress(body[9:])):
        assert collector.post(packed, Content_Encoding="gzip").status == 204
    assert collector.post(body, Content_Encoding="identity").status == 204


def test_gzip_bombs_are_a_413_and_broken_gzip_a_400(collector: Collector) -> None:
    bomb = gzip.compress(b" " * (64 * MIB))
    two = gzip.compress(b" " * MIB) + gzip.compress(b" " * MIB)
    for body in (bomb, two):
        assert_error(collector.post(body, Content_Encoding="gzip"), 413, "too_large")
    whole = gzip.compress(json.dumps(SEED_EVENT).encode())
    for body in (whole[:-5], whole[:20], b"", b"not gzip", whole + b"trailing"):
        assert_error(collector.post(body, Content_Encoding="gzip"), 400, "invalid_json")


def test_body_shorter_than_its_content_length_is_refused(collector: Collector) -> None:
    before = collector.count()
    body = b'{"event_name":"short"}'
    answer = collector.raw(collector.head(Content_Length=len(body) + 10) + body)
    assert answer.startswith(b"HTTP/1.1 400")
    assert collector.count() == before


@pytest.mark.parametrize("length", ["-1", "+5", "5, 5", "0x10", "", "1e3", "99999999999999999999x"])
def test_malformed_content_length_is_a_400(collector: Collector, length: str) -> None:
    before = collector.count()
    assert collector.raw(collector.head(Content_Length=length) + b'{"event_name":"x"}').startswith(b"HTTP/1.1 400")
    assert collector.count() == before


def test_doubled_content_length_is_a_400(collector: Collector) -> None:
    head = collector.head(Content_Length=18).replace(b"\r\nContent-Length", b"\r\nContent-Length: 5\r\nContent-Length")
    assert collector.raw(head + b'{"event_name":"x"}').startswith(b"HTTP/1.1 400")


def test_odd_keys_are_kept(collector: Collector) -> None:
    keys = {f"k{n}": n for n in range(50_000)}
    for event in (
        {"event_name": "keys", "params": keys},
        {"event_name": "keys", "params": {"x" * 65_536: 1}},
        {"event_name": "keys", "params": {"": 1, "__proto__": {"a": 1}, "constructor": 2}, "": 1, "__proto__": 1},
    ):
        assert collector.post(event).status == 204
    assert collector.post(b'{"event_name":"a","event_name":"keys","params":{"a":1,"a":2}}').status == 204


def test_refused_bodies_of_a_key_are_kept(collector: Collector) -> None:
    before = collector.count("collect_rejection")
    collector.post(b"{", X_Request_Id="kept-1")
    collector.post(b"x" * (2 * MIB), X_Request_Id="kept-2")
    collector.post(SEED_EVENT, Authorization="Bearer nobody", X_Request_Id="kept-3")
    assert collector.count("collect_rejection") == before + 2
    kept = collector.rows("SELECT code, body FROM collect_rejection WHERE request_id = 'kept-2'")
    assert [(code, len(bytes(body))) for code, body in kept] == [("too_large", 65_536)]


def test_host_that_is_not_ours_is_a_400_but_for_senders(collector: Collector) -> None:
    assert_error(collector.request("GET", "/api/schema", Host="evil.example"), 400, "bad_request")
    assert collector.post({"event_name": "x"}, Host="10.0.0.7").status == 204


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: magic\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
    ],
)
def test_bytes_that_are_no_request_get_the_same_shape(collector: Collector, data: bytes, status: int) -> None:
    head, _, body = collector.raw(data).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    answer = json.loads(body)
    assert set(answer) == {"detail", "code", "request_id"}
    assert f"X-Request-Id: {answer['request_id']}".encode() in head
