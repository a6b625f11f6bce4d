"""The lazy enrichment of a request."""

from typing import cast

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from collect.enrichment import geo
from collect.enrichment.city import Geo
from collect.enrichment.middleware import EnrichedRequest, EnrichmentMiddleware


def test_enrichment_looks_up_when_asked_and_once(monkeypatch: pytest.MonkeyPatch, rf: RequestFactory) -> None:
    asked = []
    served = []

    def lookup(address: str | None) -> Geo:
        asked.append(address)
        return Geo(country="GB")

    def view(request: HttpRequest) -> HttpResponse:
        served.append(cast(EnrichedRequest, request).enrichment)
        return HttpResponse()

    monkeypatch.setattr(geo, "lookup", lookup)
    request = cast(EnrichedRequest, rf.get("/"))
    request.client_address = "203.0.113.7"
    EnrichmentMiddleware(view)(request)
    (seen,) = served
    assert asked == []
    assert (seen.ip_address, seen.geo.country, seen.geo.country) == ("203.0.113.7", "GB", "GB")
    assert asked == ["203.0.113.7"]
