"""Attaches the enrichment to each request. Nothing is looked up before it is used."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse

from collect.enrichment.of_request import Enrichment
from runtime.requests import ServedRequest


class EnrichedRequest(ServedRequest):
    """A request with its enrichment. It is a type to cast to, and is never instantiated."""

    enrichment: Enrichment


class EnrichmentMiddleware:
    """Gives every request its `enrichment`. It must come after the middleware that sets the client's address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Attach the enrichment, and serve the request."""
        seen = cast(EnrichedRequest, request)
        seen.enrichment = Enrichment(seen.client_address)
        return self.get_response(request)
