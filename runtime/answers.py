"""A refusal as the one JSON shape of errors, for every status (contract, section 2).

An answer never shows an internal message, and never lets a fault of ours look like the sender's.
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import DisallowedHost, PermissionDenied, SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions as drf

from runtime.refusals import Code, Refusal, Unavailable

logger = logging.getLogger(__name__)


def respond(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Return the refusal as the one JSON shape of errors, and log it."""
    body = refusal.as_json(getattr(request, "request_id", None))
    headers = {"X-Content-Type-Options": "nosniff", **refusal.headers}
    response = JsonResponse(body, status=refusal.status, headers=headers)
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
    """Return the refusal that answers a request which raised `exc`.

    An exception that is not expected here is our fault: it is logged with its traceback and becomes `Unavailable`.
    """
    if isinstance(exc, Refusal):
        return exc
    if isinstance(exc, drf.MethodNotAllowed):
        return Refusal(Code.METHOD_NOT_ALLOWED, str(exc.detail))
    if isinstance(exc, Http404 | drf.NotFound):
        return Refusal(Code.NOT_FOUND, "Not found")
    if isinstance(exc, PermissionDenied | drf.PermissionDenied):
        return Refusal(Code.FORBIDDEN, "Forbidden")
    if isinstance(exc, SuspiciousOperation):
        # Django's message of a host has what was sent, and names the setting ALLOWED_HOSTS.
        return Refusal(Code.BAD_REQUEST, str(exc) if isinstance(exc, DisallowedHost) else "Bad request")
    if isinstance(exc, DatabaseError):
        logger.error("database failed", exc_info=exc)
    else:
        logger.error("unexpected failure", exc_info=exc)
    return Unavailable()


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Return the answer to whatever a view of the API raised, in the one JSON shape. DRF calls it for every view."""
    request: HttpRequest = context["request"]
    refusal = as_refusal(exc)
    if isinstance(exc, drf.MethodNotAllowed):
        refusal.headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return respond(request, refusal)
