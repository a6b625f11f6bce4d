"""What a key may be limited to: tag ids, and networks that it is accepted from."""

from collections.abc import Sequence
from functools import lru_cache

from django.core.exceptions import ValidationError

from runtime import addresses

# The longest possible tag id: `site:` and a host name.
MAX_TAG_LENGTH = 258


def validate_tags(tags: object) -> None:
    """Check that `tags` is a list of tag ids, each exact or ending in `*`. Raises ValidationError where it is not."""
    for tag in _texts(tags):
        if not 0 < len(tag) <= MAX_TAG_LENGTH or "*" in tag[:-1]:
            raise ValidationError(f"{tag!r} is not a tag id: write it exactly, or end it in *, such as adv_acme_*.")


def validate_networks(networks: object) -> None:
    """Check that `networks` is a list of CIDRs. Raises ValidationError where it is not."""
    for network in _texts(networks):
        try:
            addresses.networks([network])
        except ValueError:
            raise ValidationError(f"{network!r} is not a network: write a CIDR, such as 203.0.113.0/24.") from None


def _texts(values: object) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValidationError("Write one on each line.")
    return values


def allows_tag(allowed: Sequence[str], tag_id: str) -> bool:
    """Tell whether a key with these tags may send for `tag_id`, derived tags included. An empty list allows any."""
    if not allowed:
        return True
    return any(tag_id.startswith(tag[:-1]) if tag.endswith("*") else tag_id == tag for tag in allowed)


def allows_address(allowed: Sequence[str], address: str | None) -> bool:
    """Tell whether a key with these networks is accepted from `address`.

    An empty list allows any address. An unknown address (None) is in no network.
    """
    if not allowed:
        return True
    if address is None:
        return False
    return addresses.is_within(address, _networks(tuple(allowed)))


# A key's networks are the same at each request, and parsing them takes longer than the look-up itself.
_networks = lru_cache(maxsize=1_000)(addresses.networks)
