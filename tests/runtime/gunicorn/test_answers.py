"""Answers to bytes that never became a request: whole messages in the API's shape of errors."""

import json

import pytest
from gunicorn.http import errors

from runtime.gunicorn import answers
from runtime.refusals import Code


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (errors.LimitRequestLine(9000, 8190), 414),
        (errors.LimitRequestHeaders("too many"), 431),
        (errors.UnsupportedTransferCoding("gzip"), 501),
        (errors.InvalidHeader("AUTHORIZATION"), 401),
        (errors.InvalidHeader("X"), 400),
        (errors.InvalidResponseHeader("X"), 503),
        (errors.InvalidResponseHeaderName("X"), 503),
        (RuntimeError("ours"), 503),
    ],
)
def test_unreadable_request_has_a_status(raised: Exception, status: int) -> None:
    assert answers.status_of(raised) == status


@pytest.mark.parametrize(
    ("raised", "word"),
    [
        (errors.InvalidHTTPVersion((1, 2)), "version"),
        (errors.InvalidHeader("HOST"), "Host"),
        (errors.InvalidHeader("X"), "Bad Request"),
    ],
)
def test_detail_names_what_can_be_put_right(raised: Exception, word: str) -> None:
    told = json.loads(answers.message(400, "r1", answers.detail_of(raised)).partition(b"\r\n\r\n")[2])
    assert word in told["detail"]


@pytest.mark.parametrize("status", [400, 401, 414, 417, 431, 501, 503])
def test_message_is_a_whole_answer_that_ends_the_connection(status: int) -> None:
    head, _, body = answers.message(status, "r1").partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    assert {"Connection: close", f"Content-Length: {len(body)}", "X-Request-Id: r1"} <= set(lines)
    assert ("WWW-Authenticate: Bearer" in lines) == (status == 401)
    assert ("Retry-After: 2" in lines) == (status == 503)
    told = json.loads(body)
    assert set(told) == {"detail", "code", "request_id"}
    assert told["code"] in set(Code)
