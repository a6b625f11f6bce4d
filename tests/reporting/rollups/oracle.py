"""What the buckets have to be, counted in Python of the events one by one, and what they are.

It shares nothing with the SQL that makes them. Of pruned events it remembers what was there before.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import F, Sum

from collect.models import Event, Mark
from reporting.models import Cell, Quarter, Summary

# A bucket by all that it is by, in the order of `_BY`.
Bucket = tuple[Any, ...]
_BY = (
    *("arrived", "quarter", "partner_id", "tag_id", "event_name", "channel", "country", "browser"),
    *("bot_reason", "is_test", "currency", "value_issue"),
)
_COLUMNS = (
    *("pk", "received_at", "timestamp", "partner_id", "tag_id", "event_name", "channel", "geo_country"),
    *("ua_browser", "ua_bot_reason", "is_test", "params", "client_id"),
)
CURRENCIES = ("EUR", "USD")


@dataclass(slots=True)
class Count:
    """Of one bucket the events, their values and the hashes of their clients."""

    events: int = 0
    value_e4: int | None = None
    clients: set[bytes] = field(default_factory=set)

    def add(self, value_e4: int | None, client: bytes | None) -> None:
        self.events += 1
        if value_e4 is not None:
            self.value_e4 = (self.value_e4 or 0) + value_e4
        if client is not None:
            self.clients.add(client)


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as it was when it was last looked at."""

    bucket: Bucket
    value_e4: int | None
    client: bytes | None

    @property
    def time(self) -> tuple[int, datetime]:
        """What marks name: the partner and the quarter-hour of arrival."""
        return self.bucket[2], self.bucket[0]


def events() -> dict[UUID, Seen]:
    """All events that are there."""
    return {row[0]: _seen(*row[1:]) for row in Event.objects.values_list(*_COLUMNS)}


def _seen(received_at: datetime, timestamp: datetime, *rest: Any) -> Seen:
    partner, *by, params, client_id = rest
    value, code = params.get("value"), params.get("currency")
    currency = issue = value_e4 = None
    if value is not None:
        if code is None:
            issue = "no_currency"
        elif code.upper() in CURRENCIES:
            currency, value_e4 = code.upper(), int(Decimal(str(value)) * 10_000)
        else:
            issue = "unknown_currency"
    client = hashlib.sha256(f"{partner}:{client_id}".encode()).digest()[:8] if client_id else None
    return Seen((_quarter(received_at), _quarter(timestamp), partner, *by, currency, issue), value_e4, client)


def _quarter(moment: datetime) -> datetime:
    return datetime.fromtimestamp(int(moment.timestamp()) // 900 * 900, UTC)


def grouped(found: Iterable[Seen]) -> dict[Bucket, Count]:
    """What GROUP BY makes of the events."""
    counts: dict[Bucket, Count] = defaultdict(Count)
    for one in found:
        counts[one.bucket].add(one.value_e4, one.client)
    return dict(counts)


def in_view() -> dict[Bucket, tuple[int, int | None]]:
    """What a reader sees: events and value of each bucket."""
    rows = Quarter.objects.values_list(*_BY).annotate(Sum("events"), Sum("value_e4"))
    return {tuple(by): (events, _whole(value)) for *by, events, value in rows}


def in_cells(*, pruned: bool) -> dict[Bucket, Count]:
    """The stored buckets. Each is there once, but for those of pruned events, of which each prune leaves its own."""
    counts: dict[Bucket, Count] = defaultdict(Count)
    cells = Cell.objects.filter(pruned=F("events")) if pruned else Cell.objects.filter(pruned=0)
    rows = cells.values_list(*_BY, "events", "value_e4", "clients")
    for *by, number, value, clients in rows:
        count = counts[tuple(by)]
        assert pruned or not count.events, f"a bucket is there twice: {by}"
        count.events += number
        if value is not None:
            count.value_e4 = (count.value_e4 or 0) + int(value)
        hashes = bytes(clients)
        count.clients |= {hashes[place : place + 8] for place in range(0, len(hashes), 8)}
    return dict(counts)


# What summaries are by, as places in a bucket, and the dimensions that each is by alone.
_OF_ALL = [_BY.index(name) for name in ("arrived", "quarter", "partner_id", "is_test", "currency", "value_issue")]
_ALONE = {name: _BY.index(name) for name in ("tag_id", "event_name", "channel", "country", "browser", "bot_reason")}


def summed(found: Iterable[Seen], pruned: Iterable[Seen]) -> dict[tuple[Any, ...], tuple[int, int | None, int]]:
    """What summaries have to be: events, value and how many were pruned, by each dimension alone and by none."""
    sums: dict[tuple[Any, ...], tuple[int, int | None, int]] = {}
    for one, number in chain(((one, 0) for one in found), ((one, 1) for one in pruned)):
        common = tuple(one.bucket[place] for place in _OF_ALL)
        for member in [("", None), *((name, one.bucket[place]) for name, place in _ALONE.items())]:
            events, value, gone = sums.get((*common, *member), (0, None, 0))
            total = value if one.value_e4 is None else (value or 0) + one.value_e4
            sums[*common, *member] = events + 1, total, gone + number
    return sums


def in_cells_summed() -> dict[tuple[Any, ...], tuple[int, int | None, int]]:
    """What summaries have to be at any moment, whether buckets are right or not: their sums."""
    sums: dict[tuple[Any, ...], tuple[int, int | None, int]] = {}
    for *bucket, number, value_e4, pruned in Cell.objects.values_list(*_BY, "events", "value_e4", "pruned"):
        common = tuple(bucket[place] for place in _OF_ALL)
        for member in [("", None), *((name, bucket[place]) for name, place in _ALONE.items())]:
            events, value, gone = sums.get((*common, *member), (0, None, 0))
            total = value if value_e4 is None else (value or 0) + int(value_e4)
            sums[*common, *member] = events + number, total, gone + pruned
    return sums


def in_summaries() -> dict[tuple[Any, ...], tuple[int, int | None, int]]:
    """The stored summaries, each of which is there once."""
    names = ("arrived", "quarter", "partner_id", "is_test", "currency", "value_issue", "dimension", "member")
    rows = list(Summary.objects.values_list(*names, "events", "value_e4", "pruned"))
    assert len({row[: len(names)] for row in rows}) == len(rows), "a summary is there twice"
    return {row[: len(names)]: (row[-3], _whole(row[-2]), row[-1]) for row in rows}


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


class Marked:
    """The times that are marked at this moment: what readers see of them may be old."""

    def __init__(self) -> None:
        self._marks = list(Mark.objects.values_list("partner_id", "start", "end"))

    def __contains__(self, time: tuple[int, datetime]) -> bool:
        partner, quarter = time
        return any(owner == partner and start <= quarter < end for owner, start, end in self._marks)


def assert_readers_see(found: Mapping[Any, Seen], pruned: Mapping[Any, Seen]) -> None:
    """Fail unless the view is the events that are there and those that were pruned, in all that is not marked.

    The summaries have to be those of the buckets, marked or not.
    """
    assert in_summaries() == in_cells_summed()
    marked = Marked()
    expected = grouped(one for one in (*found.values(), *pruned.values()) if one.time not in marked)
    seen = {bucket: sums for bucket, sums in in_view().items() if (bucket[2], bucket[0]) not in marked}
    assert seen == {bucket: (count.events, count.value_e4) for bucket, count in expected.items()}
