"""Answers in the API's shape of errors to bytes that never become a request, as whole HTTP messages."""

import json
from http import HTTPStatus

from gunicorn.http import errors

from runtime.refusals import Code, InvalidKey, Refusal, Unavailable

# The status for each kind of unreadable request. A kind that is not listed here is our own failure.
STATUS_OF: dict[type[BaseException], int] = {
    # Of our own answer, which gunicorn could not send. To gunicorn they are kinds of what follows.
    errors.InvalidResponseHeader: 503,
    errors.InvalidResponseHeaderName: 503,
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.UnsupportedTransferCoding: 501,
    errors.ExpectationFailed: 417,
    errors.ParseException: 400,
}


def status_of(error: BaseException) -> int:
    """Return the status of the answer to `error`, which gunicorn raised while it read a request."""
    if isinstance(error, errors.InvalidHeader) and error.hdr == "AUTHORIZATION":
        # A key with a character that no header may contain is an invalid key (contract, section 2).
        return HTTPStatus.UNAUTHORIZED
    return next((status for kind, status in STATUS_OF.items() if isinstance(error, kind)), 503)


def detail_of(error: BaseException) -> str:
    """Return what the sender can put right, if that is known; empty if the status says all that there is to say."""
    if isinstance(error, errors.InvalidHTTPVersion):
        return "The version of HTTP must be 1.0 or 1.1"
    if isinstance(error, errors.InvalidHeader) and error.hdr == "HOST":
        return "There must be one Host header, with a name or an address"
    return ""


def message(status: int, request_id: str, detail: str = "") -> bytes:
    """Return the whole HTTP answer with this status; the connection ends after it."""
    refusal = _refusal(status, detail)
    body = json.dumps(refusal.as_json(request_id))
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request_id}",
        *(f"{name}: {value}" for name, value in refusal.headers.items()),
    ]
    return "\r\n".join([*head, "", body]).encode()


def _refusal(status: int, detail: str) -> Refusal:
    if status == HTTPStatus.UNAUTHORIZED:
        return InvalidKey()
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Unavailable()
    return Refusal(Code.BAD_REQUEST, detail or HTTPStatus(status).phrase)
