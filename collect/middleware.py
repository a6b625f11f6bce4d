"""Attaches what the server can see of a request; nothing is looked up until somebody asks."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from collect.enrichment import Enrichment


class EnrichmentMiddleware:
    """Gives every request its `enrichment`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with its enrichment at hand."""
        request.enrichment = Enrichment(request.META)  # type: ignore[attr-defined]  # Django's requests carry it
        return self.get_response(request)


def client_address(request: HttpRequest) -> str | None:
    """The address of a request, for whoever asks outside this app (django-axes)."""
    address: str | None = Enrichment(request.META).ip_address
    return address
