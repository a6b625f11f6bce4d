"""What the server learns from a request for its event: the place of the client's address, looked up on first use."""

from django.utils.functional import cached_property  # that of Python 3.11 takes a lock

from collect.enrichment import geo
from collect.enrichment.city import Geo


class Enrichment:
    """The lazy `request.enrichment`."""

    def __init__(self, ip_address: str | None) -> None:
        self.ip_address = ip_address

    @cached_property
    def geo(self) -> Geo:
        """The place of the address."""
        return geo.lookup(self.ip_address)
