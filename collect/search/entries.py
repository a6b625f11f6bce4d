"""By what an event is found, and the form of an entry of the search index.

An entry is half of a value's hash and the event's id. What it leads to has to be compared with the value itself.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

from django.db import connection

# The columns of the contract's ids.
COLUMNS = ("event_id", "click_id", "impression_id", "bid_id", "session_id", "client_id")
# The number of an order, as senders name it in `params`: a text or a whole number.
PARAMS = ("order_id", "orderId", "order_number", "orderNumber", "transaction_id", "transactionId")

# A run has as many blocks: with 10,000 events a block stays below the 2,000 bytes that PostgreSQL keeps in a row.
SLOTS = 512
HASH_BYTES, ENTRY_BYTES = 4, 20
# Of events that share a value, so many of each run are in the index, the newest. Some senders have one client for all.
SHARED = 50


def hash_of(value: str) -> int:
    """Return 64 bits of a hash of the value, signed. PostgreSQL has its own, which its statement can use."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT hashtextextended(%s, 0)", [value])
            (found,) = cursor.fetchone() or (0,)
        return int(found)
    return int.from_bytes(hashlib.sha256(value.encode()).digest()[:8], signed=True)


def key_of(hashed: int) -> tuple[int, bytes]:
    """Return the slot of a value with this hash, and what the entries of its events begin with."""
    return hashed % SLOTS, (hashed >> 32 & 0xFFFF_FFFF).to_bytes(HASH_BYTES)


def events_of(block: bytes, beginning: bytes) -> Iterator[UUID]:
    """Yield the ids of the events whose entries in the block begin so."""
    place = block.find(beginning)
    while place >= 0:
        # The same bytes may stand in an id, too.
        if place % ENTRY_BYTES == 0:
            yield UUID(bytes=block[place + HASH_BYTES : place + ENTRY_BYTES])
        place = block.find(beginning, place + 1)


def blocks_of(events: Iterable[tuple[UUID, Iterable[str | None]]]) -> dict[int, bytes]:
    """Return the blocks of a run by their slot, from its events, oldest first, with their values."""
    found: dict[tuple[int, bytes], list[bytes]] = defaultdict(list)
    for id, values in events:
        for value in filter(None, values):
            found[key_of(hash_of(value))].append(id.bytes)
    blocks: dict[int, list[bytes]] = defaultdict(list)
    for (slot, beginning), ids in found.items():
        blocks[slot] += [beginning + id for id in ids[-SHARED:]]
    return {slot: b"".join(entries) for slot, entries in blocks.items()}
