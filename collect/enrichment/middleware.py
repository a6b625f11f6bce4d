"""Attaches the enrichment to a request; nothing is looked up until somebody asks."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse

from collect.enrichment.of_request import Enrichment
from runtime.requests import ServedRequest


class EnrichedRequest(ServedRequest):
    """A request with its enrichment. A type to cast to; nobody makes one."""

    enrichment: Enrichment


class EnrichmentMiddleware:
    """Gives every request its `enrichment`. It stands behind the middleware of the client's address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with its enrichment at hand."""
        seen = cast(EnrichedRequest, request)
        seen.enrichment = Enrichment(seen.client_address)
        return self.get_response(request)
