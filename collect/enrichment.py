"""What the server can see of a request: the sender's address and its place, found out when first asked for."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.conf import settings

from collect import geo
from collect.geo import Geo
from runtime import addresses

_trusted = addresses.networks(settings.TRUSTED_PROXIES)


class Enrichment:
    """The lazy `request.enrichment`; `meta` is the request's WSGI environment."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self._meta = meta

    @cached_property
    def ip_address(self) -> str | None:
        """The sender's address, None where it is unknown."""
        forwarded = self._meta.get("HTTP_X_FORWARDED_FOR")
        return addresses.resolve(self._meta.get("REMOTE_ADDR", ""), forwarded, _trusted)

    @cached_property
    def geo(self) -> Geo:
        """The place of that address."""
        return geo.lookup(self.ip_address)
