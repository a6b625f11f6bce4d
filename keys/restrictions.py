"""What a key may be limited to: tag ids, and networks that it is accepted from."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.core.exceptions import ValidationError

# The longest tag id that there is: `site:` and a host name.
MAX_TAG_LENGTH = 258


def validate_tags(tags: object) -> None:
    """A list of tag ids, each exact or ending in `*`. Raises ValidationError."""
    for tag in _texts(tags):
        if not 0 < len(tag) <= MAX_TAG_LENGTH or "*" in tag[:-1]:
            raise ValidationError(f"{tag!r} is no tag id: write it exactly, or end it in *, such as adv_acme_*.")


def validate_networks(networks: object) -> None:
    """A list of CIDRs. Raises ValidationError."""
    for network in _texts(networks):
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise ValidationError(f"{network!r} is no network: write a CIDR, such as 203.0.113.0/24.") from None


def _texts(values: object) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValidationError("Write one on each line.")
    return values


def allows_tag(allowed: Sequence[str], tag_id: str) -> bool:
    """Whether a key with these tags may send for `tag_id`, derived tags included. No tags: any."""
    if not allowed:
        return True
    return any(tag_id.startswith(tag[:-1]) if tag.endswith("*") else tag_id == tag for tag in allowed)


def allows_address(allowed: Sequence[str], address: str | None) -> bool:
    """Whether a key with these networks is accepted from `address`; an unknown one is in none. No networks: any."""
    if not allowed:
        return True
    if address is None:
        return False
    parsed = ip_address(address)
    return any(parsed in network for network in _networks(tuple(allowed)))


@lru_cache(maxsize=1_000)
def _networks(cidrs: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(cidr, strict=False) for cidr in cidrs)
