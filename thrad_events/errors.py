"""Every refusal that the server can give, with its status, in one JSON shape (contract, section 2).

It must never show an internal message, and never let a fault of ours look like the sender's.
"""

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions as drf

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2


class Code(StrEnum):
    """The closed set of error codes of the API."""

    BAD_REQUEST = "bad_request"
    INVALID_JSON = "invalid_json"
    INVALID_EVENT = "invalid_event"
    MISSING_TOKEN = "missing_token"  # noqa: S105  # a code, not a token
    INVALID_KEY = "invalid_key"
    FORBIDDEN = "forbidden"
    TAG_NOT_ALLOWED = "tag_not_allowed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


STATUS: Mapping[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.INVALID_JSON: 400,
    Code.INVALID_EVENT: 400,
    Code.MISSING_TOKEN: 401,
    Code.INVALID_KEY: 401,
    Code.FORBIDDEN: 403,
    Code.TAG_NOT_ALLOWED: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.TIMEOUT: 408,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.UNSUPPORTED_ENCODING: 415,
    Code.RATE_LIMITED: 429,
    Code.UNAVAILABLE: 503,
}


class Refusal(Exception):  # noqa: N818  # a refusal is an answer, not an error of ours
    """A request that is answered with an error.

    `errors` maps each field at fault to its messages; `headers` are added to the answer.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        errors: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status that belongs to the code."""
        return STATUS[self.code]


class Unavailable(Refusal):
    """Nothing was stored and it is our fault: the sender should try again."""

    def __init__(self, detail: str = "Temporarily unavailable, try again") -> None:
        super().__init__(Code.UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def respond(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The refusal as the one JSON shape of errors."""
    body: dict[str, Any] = {"detail": refusal.detail, "code": refusal.code.value}
    if refusal.errors:
        body["errors"] = refusal.errors
    body["request_id"] = getattr(request, "request_id", None)
    response = JsonResponse(
        body, status=refusal.status, headers={"X-Content-Type-Options": "nosniff", **refusal.headers}
    )
    # The line has the status, the code and the fields; never the body or a header of the request.
    level = logging.ERROR if refusal.status >= 500 else logging.INFO
    logger.log(
        level,
        "refused",
        extra={
            "status": refusal.status,
            "code": refusal.code.value,
            "fields": sorted(refusal.errors or ()),
            "method": request.method,
            "path": request.path,
        },
    )
    return response


def as_refusal(exc: Exception) -> Refusal:
    """What is told to the sender of a request that ended in `exc`; a surprise is our fault and logged whole."""
    if isinstance(exc, Refusal):
        return exc
    if isinstance(exc, drf.MethodNotAllowed):
        return Refusal(Code.METHOD_NOT_ALLOWED, str(exc.detail))
    if isinstance(exc, Http404 | drf.NotFound):
        return Refusal(Code.NOT_FOUND, "Not found")
    if isinstance(exc, PermissionDenied | drf.PermissionDenied):
        return Refusal(Code.FORBIDDEN, "Forbidden")
    if isinstance(exc, SuspiciousOperation):
        return Refusal(Code.BAD_REQUEST, "Bad request")
    if isinstance(exc, DatabaseError):
        logger.error("database failed", exc_info=exc)
    else:
        logger.error("unexpected failure", exc_info=exc)
    return Unavailable()


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's hook: whatever a view of the API raised, in the one JSON shape."""
    request: HttpRequest = context["request"]
    refusal = as_refusal(exc)
    if isinstance(exc, drf.MethodNotAllowed):
        refusal.headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return respond(request, refusal)


def _page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """A person in the console gets a page, everybody else the JSON shape."""
    if request.path.startswith("/admin/"):
        context = {**admin.site.each_context(request), "refusal": refusal, "title": refusal.detail}
        return render(request, "error.html", context, status=refusal.status)
    return respond(request, refusal)


def locked_out(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    """What django-axes answers to a log-in that was tried too often."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    context = {**admin.site.each_context(request), "minutes": minutes, "title": "Too many attempts to log in"}
    response = render(request, "admin/locked.html", context, status=STATUS[Code.RATE_LIMITED])
    response["Retry-After"] = str(minutes * 60)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a host that is not ours, too many fields, a malformed path."""
    return _page(request, as_refusal(exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return _page(request, as_refusal(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return _page(request, Refusal(Code.NOT_FOUND, "Not found"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: our own failure is a 503 that can be tried again (Django has logged the exception)."""
    return _page(request, Unavailable())
