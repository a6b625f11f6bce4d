"""The lazy enrichment of a request."""

from collect.enrichment import of_request
from collect.enrichment.geo import Geo
from collect.enrichment.middleware import EnrichmentMiddleware


def test_enrichment_looks_up_when_asked_and_once(monkeypatch, rf):
    asked = []

    def lookup(address):
        asked.append(address)
        return Geo(country="GB")

    monkeypatch.setattr(of_request.geo, "lookup", lookup)
    request = rf.get("/")
    request.client_address = "203.0.113.7"
    seen = EnrichmentMiddleware(lambda request: request.enrichment)(request)
    assert asked == []
    assert (seen.ip_address, seen.geo.country, seen.geo.country) == ("203.0.113.7", "GB", "GB")
    assert asked == ["203.0.113.7"]
