"""Whose address a request came from (contract, section 3). It believes `X-Forwarded-For` of trusted hops only."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

# More hops than any real chain; the rest of a longer header is somebody's own.
_MAX_HOPS = 64


def networks(cidrs: Sequence[str]) -> tuple[Network, ...]:
    """The networks named by `cidrs`; a bare address is a network of one. Raises ValueError with the entry's name."""
    return tuple(ip_network(cidr.strip(), strict=False) for cidr in cidrs)


@lru_cache(maxsize=10_000)
def normalise(text: str) -> str | None:
    """An address as it is stored: without port, brackets and zone, IPv4 in IPv6 as IPv4; None for anything else."""
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
    """The sender's address: the peer, or through trusted proxies the right-most hop that is not trusted.

    `forwarded` is the `X-Forwarded-For` header. Where a trusted hop reports something that is no address, the
    sender is unknown (None); where all hops are trusted, it is the left-most.
    """
    address = normalise(peer)
    if not trusted or forwarded is None:
        return address
    hops = forwarded.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]
    while hops and address is not None and is_within(address, trusted):
        address = normalise(hops.pop())
    return address


def is_within(address: str, allowed: Sequence[Network]) -> bool:
    """Whether an address, as `normalise` gives it, lies in one of the networks."""
    parsed = ip_address(address)
    return any(parsed in network for network in allowed)
