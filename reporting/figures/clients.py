"""Distinct clients: merged from the buckets, with what is in none yet; counted in the events where buckets are vague.

A client of one partner is no client of another.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import (
    Aggregate,
    BinaryField,
    CharField,
    Count,
    F,
    Func,
    IntegerField,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Concat

from collect.storage.marks import QUARTER
from reporting.figures import sources
from reporting.figures.asked import Asked, grouped
from reporting.figures.registry import Dimension
from reporting.figures.sources import Source
from reporting.models import Cell, Progress
from reporting.reports.reported import NO_CLIENT
from reporting.rollups import sketches
from reporting.rollups.sketches import Distinct

# Below so many events a range is counted exactly, event by event.
COUNTED_BELOW = 1_000_000
Key = tuple[Any, ...]


class Joined(Aggregate):
    """The bytes of several rows, one behind the other; on SQLite, which joins texts alone, in hex."""

    template = "string_agg(%(expressions)s, ''::bytea)"
    output_field = BinaryField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL of SQLite."""
        joined = self.copy()
        joined.template = "group_concat(hex(%(expressions)s), '')"
        return joined.as_sql(compiler, connection, **context)


class Length(Func):
    """The length of bytes."""

    function = "octet_length"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL of SQLite."""
        return self.as_sql(compiler, connection, function="length", **context)


def distinct(asked: Asked, dimensions: Sequence[Dimension]) -> dict[Key, Distinct]:
    """Return the number of distinct clients for each combination of the dimensions' values that has events.

    All are exact if all buckets are, and have no more than `sketches.COUNTED` hashes together; or if the range has
    fewer than `COUNTED_BELOW` events and none of them was pruned.
    Raises `django.db.Error`.
    """
    hashes: dict[Key, list[bytes]] = defaultdict(list)
    registers: dict[Key, list[bytes]] = defaultdict(list)
    stored, progress = sources.cells(asked), Progress.objects.first()
    for key, few, many in _joined(stored, dimensions):
        hashes[key].append(few)
        registers[key] += [many[at : at + sketches.REGISTERS] for at in range(0, len(many), sketches.REGISTERS)]
    for *values, partner, client in _newest(sources.newest(asked, progress), dimensions):
        hashes[tuple(values)].append(sketches.hashed(partner, client))
    found = {key: sketches.distinct(b"".join(few), registers[key]) for key, few in hashes.items()}
    if all(one.is_exact for one in found.values()):
        return found
    size = stored.rows.aggregate(events=Sum("events"), pruned=Sum("pruned"))
    # Without a bucket there are no bounds of arrival to count in.
    if not size["events"] or size["events"] >= COUNTED_BELOW or size["pruned"]:
        return found
    return _counted(asked, dimensions, stored.rows, progress)


def _joined(stored: Source, dimensions: Sequence[Dimension]) -> Iterator[tuple[Key, bytes, bytes]]:
    is_many = Q(length=sketches.REGISTERS)
    keys = stored.asked.keys(dimensions, stored.field)
    joined = {"few": Joined("clients", filter=~is_many), "many": Joined("clients", filter=is_many)}
    for key, (few, many) in grouped(stored.rows.annotate(length=Length("clients")), keys, joined):
        yield key, _bytes(few), _bytes(many)


def _bytes(found: Any) -> bytes:
    return bytes.fromhex(found) if isinstance(found, str) else bytes(found or b"")


def _newest(events: Source, dimensions: Sequence[Dimension]) -> Iterator[tuple[Any, ...]]:
    """Yield the clients of the events that are in no bucket yet, each once for a key."""
    keys = events.asked.keys(dimensions, events.field)
    rows = events.rows.exclude(NO_CLIENT).annotate(**keys).order_by()
    yield from rows.values_list(*keys, "partner_id", "client_id").distinct()


def _counted(
    asked: Asked, dimensions: Sequence[Dimension], stored: "QuerySet[Cell]", progress: Progress | None
) -> dict[Key, Distinct]:
    """Count the clients in the events. When those arrived the buckets tell, so that no more of them are read."""
    bounds = stored.aggregate(first=Min("arrived"), last=Max("arrived"))
    arrived = Q(received_at__gte=bounds["first"], received_at__lt=bounds["last"] + QUARTER)
    if progress is not None:
        arrived |= Q(received_at__gte=progress.until)
    events = sources.events(asked)
    keys = asked.keys(dimensions, events.field)
    client = Concat(Cast("partner_id", CharField()), Value(":"), F("client_id"))
    rows = grouped(events.rows.exclude(NO_CLIENT).filter(arrived), keys, {"number": Count(client, distinct=True)})
    return {key: Distinct(number, is_exact=True) for key, (number,) in rows}
