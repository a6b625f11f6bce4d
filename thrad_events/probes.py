"""Answers whoever may reach the probes, under any Host and scheme (contract, section 8)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from runtime.answers import respond
from runtime.refusals import Code, Refusal

PATHS = frozenset(("/livez", "/readyz", "/metrics"))
_METHODS = ("GET", "HEAD")


class ProbesMiddleware:
    """Serves the probes before Django looks at the Host and redirects to HTTPS.

    Kubernetes, balancers and Prometheus call by address, over plain HTTP, and nothing in their answers is built from
    either.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve a probe by its view, anything else as usual."""
        if request.path_info not in PATHS:
            return self.get_response(request)
        if request.method not in _METHODS:
            allowed = {"Allow": ", ".join(_METHODS)}
            return respond(request, Refusal(Code.METHOD_NOT_ALLOWED, "Only GET and HEAD", headers=allowed))
        response: HttpResponse = resolve(request.path_info).func(request)
        # As Django's own middleware does further in; otherwise the answer would be chunked.
        response.headers["Content-Length"] = str(len(response.content))
        return response
