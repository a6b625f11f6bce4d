"""Networks, and the address that a request came from (contract, section 3).

`X-Forwarded-For` is believed of trusted hops only.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from runtime.requests import ServedRequest

Network = IPv4Network | IPv6Network

# More hops than any real chain; the rest of a longer header is somebody's own.
_MAX_HOPS = 64


def networks(cidrs: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks named by `cidrs`; a bare address is a network of one. Raises ValueError naming the entry."""
    return tuple(ip_network(cidr.strip(), strict=False) for cidr in cidrs)


@lru_cache(maxsize=10_000)
def normalise(text: str) -> str | None:
    """Return an address as it is stored, or None for anything else.

    Without port, brackets and zone; an IPv4 address inside IPv6 as IPv4.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def resolve(peer: str, forwarded: str | None, trusted: Sequence[Network]) -> str | None:
    """Return the client's address: the peer, or through trusted proxies the right-most hop that is not trusted.

    `forwarded` is the `X-Forwarded-For` header. Where a trusted hop reports something that is no address, the
    client is unknown (None); where all hops are trusted, it is the left-most. An empty element counts for nothing
    (RFC 9110, section 5.6.1).
    """
    address = normalise(peer)
    if not trusted or forwarded is None:
        return address
    hops = [hop for hop in forwarded.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:] if hop.strip()]
    while hops and address is not None and is_within(address, trusted):
        address = normalise(hops.pop())
    return address


def is_within(address: str, allowed: Sequence[Network]) -> bool:
    """Tell whether an address, as `normalise` gives it, lies in one of the networks."""
    parsed = ip_address(address)
    return any(parsed in network for network in allowed)


class ClientAddressMiddleware:
    """Gives every request its `client_address`, through the proxies of TRUSTED_PROXIES."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Read TRUSTED_PROXIES. Raises ValueError where it names something that is no network."""
        self.get_response = get_response
        self._trusted = networks(settings.TRUSTED_PROXIES)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with the address in place."""
        meta = request.META
        address = resolve(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR"), self._trusted)
        cast(ServedRequest, request).client_address = address
        return self.get_response(request)


def of_request(request: object) -> str | None:
    """Return the client's address of a request, Django's or DRF's; also for settings that name a function."""
    return cast(ServedRequest, request).client_address
