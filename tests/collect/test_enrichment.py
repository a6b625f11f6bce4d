"""The lazy enrichment of a request."""

from collect import enrichment
from collect.geo import Geo
from collect.middleware import EnrichmentMiddleware


def test_enrichment_looks_up_when_asked_and_once(monkeypatch, rf):
    asked = []

    def lookup(address):
        asked.append(address)
        return Geo(country="GB")

    monkeypatch.setattr(enrichment.geo, "lookup", lookup)
    request = rf.get("/", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="198.51.100.1")
    seen = EnrichmentMiddleware(lambda request: request.enrichment)(request)
    assert asked == []
    assert (seen.ip_address, seen.geo.country, seen.geo.country) == ("203.0.113.7", "GB", "GB")
    assert asked == ["203.0.113.7"]


def test_enrichment_believes_trusted_proxies(monkeypatch, rf):
    monkeypatch.setattr(enrichment, "_trusted", enrichment.addresses.networks(["203.0.113.0/24"]))
    request = rf.get("/", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="192.0.2.9, 198.51.100.1")
    assert enrichment.Enrichment(request.META).ip_address == "198.51.100.1"
