"""Puts the request's id on the request, into its answer and into every log line (contract, section 1)."""

import re
from collections.abc import Callable
from random import getrandbits
from typing import cast

from django.http import HttpRequest, HttpResponse

from runtime import logs
from runtime.requests import ServedRequest

# What a caller may send as its own id: anything else could break a log line or a header.
SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
# What no id may have in it, for it is kept and shown: an app that knows what a secret looks like adds it here.
SECRETS: list[re.Pattern[str]] = []


class RequestIdMiddleware:
    """Keeps the caller's `X-Request-Id` if it is sane, and otherwise gives the request a new id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with its id set, and name the id in the answer."""
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        # An id has to be unique, not secret: the process's own generator, which is seeded anew after a fork.
        request_id = sent if sent and _is_sane(sent) else f"{getrandbits(128):032x}"
        cast(ServedRequest, request).request_id = request_id
        token = logs.request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            logs.request_id.reset(token)
        response["X-Request-Id"] = request_id
        return response


def _is_sane(sent: str) -> bool:
    return SANE.fullmatch(sent) is not None and not any(secret.search(sent) for secret in SECRETS)
