"""Where an event came from: who sent it, and what the server saw of the request."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from collect.enrichment.city import Geo

# The channel of every row that came by the endpoint, whatever was sent. An import may name another (`MAX_CHANNEL`).
CHANNEL = "server"
MAX_CHANNEL = 32


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent an event, from where and when.

    `origin` and `referer` are the request's headers. `ip_address` is the sender's, already resolved. `tags` are the
    ones that the key is restricted to. An event without a key (None) came by an import.
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
