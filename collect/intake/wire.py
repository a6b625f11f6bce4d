"""The body of a request, read and inflated within its bounds. A body that is not whole is always marked as faulty.

It is read from the WSGI stream: Django trusts Content-Length, and sees an empty body if a request is chunked.
"""

import gzip
import io
import zlib
from collections.abc import Collection
from typing import Any, NamedTuple

from django.http import HttpRequest
from gunicorn.http.errors import ParseException

from runtime.gunicorn.bodies import BODY_SECONDS, leave_unread
from runtime.refusals import Code, Refusal

# Bytes that are read of a body over the cap, so that the operator can see what it was.
_GLIMPSE = 64 * 1024
# Characters of a header that is not accepted which the answer repeats.
_MAX_TOLD = 100
_GZIP = b"\x1f\x8b"


class Received(NamedTuple):
    """A body as far as it was read, and why it is not acceptable (None if it is whole)."""

    body: bytes
    fault: Refusal | None


def receive(request: HttpRequest, limit: int, more_types: Collection[str] = ()) -> Received:
    """Return the body of `request`, inflated: at most `limit` bytes on the wire and inflated (contract, section 2).

    The fault is `unsupported_media_type`, `unsupported_encoding`, `too_large`, `timeout` or `invalid_json`.
    """
    raw, fault = _read(request.META, limit)
    fault = _media_type_fault(request.content_type or "", more_types) or _transfer_fault(request.META) or fault
    # A list, whose empty elements count for nothing (RFC 9110, section 5.6.1).
    coding = request.META.get("HTTP_CONTENT_ENCODING", "").strip(" \t,").lower()
    if fault or coding in ("", "identity"):
        return Received(raw, fault)
    if coding not in ("gzip", "x-gzip"):
        return Received(
            raw, Refusal(Code.UNSUPPORTED_ENCODING, "Content-Encoding must be gzip or identity" + _not(coding))
        )
    return _inflate(raw, limit)


def _media_type_fault(media_type: str, more_types: Collection[str]) -> Refusal | None:
    if media_type == "application/json" or media_type.endswith("+json") or media_type in more_types:
        return None
    accepted = " or ".join(("application/json", *more_types))
    cause = _CAUSES.get(media_type, "")
    return Refusal(Code.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {accepted}{_not(media_type)}{cause}")


# Where a media type comes from that is not accepted.
_CAUSES = {
    "application/x-www-form-urlencoded": " (curl sends that unless told otherwise)",
    "application/x-ndjson": " (which goes to /api/collect/batch)",
}


def _not(came: str) -> str:
    return f", not {came[:_MAX_TOLD]}" if came else "; none came"


def _transfer_fault(meta: dict[str, Any]) -> Refusal | None:
    # Gunicorn accepts a coding beneath `chunked`, such as `gzip, chunked`, and passes the coded bytes on as they are.
    coding = meta.get("HTTP_TRANSFER_ENCODING", "chunked").strip().lower()
    if coding == "chunked":
        return None
    return Refusal(Code.UNSUPPORTED_ENCODING, "Transfer-Encoding must be chunked" + _not(coding))


def _read(meta: dict[str, Any], limit: int) -> Received:
    stream, length = meta["wsgi.input"], meta.get("CONTENT_LENGTH") or None
    if length is None and not meta.get("wsgi.input_terminated"):
        return Received(b"", None)
    try:
        declared = None if length is None else int(length)
    except ValueError:
        return Received(b"", _incomplete())
    try:
        body = stream.read(_to_read(declared, limit))
    except (OSError, ValueError, ParseException) as error:
        # The body broke off in the middle, so it is unknown where the next request would start.
        if (declared or 0) > limit:
            return Received(b"", _too_large(limit))
        return Received(b"", _too_slow() if isinstance(error, TimeoutError) else _incomplete())
    if max(declared or 0, len(body)) > limit:
        # Otherwise the worker would read the rest before the next request.
        leave_unread(stream)
        return Received(body, _too_large(limit))
    return Received(body, None if declared in (None, len(body)) else _incomplete())


def _to_read(declared: int | None, limit: int) -> int:
    """Return how many bytes to ask for. Raises ValueError for a negative length."""
    if declared is None:
        return limit + 1
    if declared < 0:
        raise ValueError("negative Content-Length")
    return declared if declared <= limit else _GLIMPSE


def _incomplete() -> Refusal:
    return Refusal(Code.INVALID_JSON, "The body is not as long as its Content-Length or chunks say")


def _too_slow() -> Refusal:
    return Refusal(
        Code.TIMEOUT, f"The body did not arrive within {BODY_SECONDS:.0f} seconds; nothing was stored, try again"
    )


def _too_large(limit: int) -> Refusal:
    return Refusal(Code.TOO_LARGE, f"The body may have {limit} bytes at most")


def _inflate(raw: bytes, limit: int) -> Received:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            body = file.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        whose = "The gzip body is broken" if raw[:2] == _GZIP else "The body is not gzip, as its Content-Encoding says"
        return Received(raw, Refusal(Code.INVALID_JSON, whose))
    return Received(body, _too_large(limit) if len(body) > limit else None)
