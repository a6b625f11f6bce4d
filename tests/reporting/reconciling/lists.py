"""Partners' lists for tests, and what is stored beside them without a database."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from collect.backfills.formats.records import Record
from keys.models import Partner
from reporting.reconciling.classes import Money
from reporting.reconciling.comparison import Stored, Verdict, comparing
from reporting.reconciling.desk import StoredEvent
from reporting.reconciling.wanted import Match, Wanted


def wanted(**fields: Any) -> Wanted:
    return Wanted(**{"partner": Partner(pk=1, name="Acme"), **fields})


def records(lines: Iterable[Any]) -> Iterator[Record]:
    """Records as NDJSON has them; bytes are what stands in the file."""
    for number, line in enumerate(lines, 1):
        yield Record(number, line if isinstance(line, bytes) else json.dumps(line).encode())


def stored(*events: StoredEvent) -> Stored:
    def stream(_wanted: Wanted, names: list[str], _match: Match) -> Iterator[list[StoredEvent]]:
        found = [event for event in events if event.name in names]
        yield found[::2]
        yield found[1::2]

    return stream


def event(id: str | None, amount: int | None = None, currency: str | None = None, **fields: Any) -> StoredEvent:
    """A stored event; amounts are in ten-thousandths."""
    number = fields.pop("number", 1)
    ids = fields.pop("ids", () if id is None else (id,))
    defaults: dict[str, Any] = {
        "name": "order_created",
        "place": f"{number:020}",
        "event": f"event {number}",
        "event_id": id,
        "at": 0,
        "money": Money(amount, currency),
        "ids": ids,
        "is_in_range": True,
    }
    return StoredEvent(**defaults | fields)


def verdicts(lines: Iterable[Any], events: Sequence[StoredEvent] = (), **fields: Any) -> list[Verdict]:
    with comparing(wanted(**fields), records(lines), stored(*events)) as comparison:
        return list(comparison.verdicts())


def classes(found: Iterable[Verdict]) -> list[str]:
    return [verdict.of for verdict in found]
