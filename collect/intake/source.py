"""Where an event came from: who sent it, and what the server saw of the request."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from collect.enrichment.city import Geo

# The channel of every row that came by the endpoint, whatever was sent. An import may name another (`MAX_CHANNEL`).
CHANNEL = "server"
MAX_CHANNEL = 32
# What is known of the request of an event that did not come by one, or waited in the spool.
NO_META: Mapping[str, Any] = MappingProxyType({})


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent an event, from where and when.

    `origin` and `referer` are the request's headers. `ip_address` is the sender's, already resolved. `tags` are the
    ones that the key is restricted to. An event without a key (None) came by an import. `meta` is all that WSGI says
    of the request, which is looked at only for what is refused; it is empty where there was no request.
    """

    partner_id: int
    api_key_id: int | None
    is_test: bool
    received_at: datetime
    ip_address: str | None
    geo: Geo
    origin: str | None = None
    referer: str | None = None
    tags: Sequence[str] = ()
    channel: str = CHANNEL
    meta: Mapping[str, Any] = NO_META
