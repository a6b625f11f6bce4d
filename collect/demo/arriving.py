"""Takes in what the demo sends as the server would have: by the contract, into the database, with what was refused."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from random import Random

import msgspec
from django.db import transaction

from collect import assembly
from collect.demo.keys import Issued
from collect.demo.profiles import BATCH
from collect.demo.sending import Sent
from collect.enrichment.city import UNKNOWN, Geo
from collect.intake import causes, contract
from collect.intake.source import Source
from collect.storage import late, rejections, store
from collect.storage.grouping import builds
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Counts, Endpoint, Entry, Tally
from collect.storage.outcomes import CODES, Outcome, Written
from collect.storage.rejections import Record
from collect.storage.rows import Arrival, uuid7
from keys.models import ApiKey
from runtime.refusals import Refusal

GROUP = 1_000


@dataclass(slots=True)
class Made:
    """What became of all that was sent: events by partner and outcome, and what to look at."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_used: dict[int, datetime] = field(default_factory=dict)
    # The first and the last moment at which each build of each sender was refused.
    refused: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)

    def total(self, *outcomes: str) -> int:
        """Return how many events came to one of these outcomes; without any, how many were sent."""
        return sum(number for (_, outcome), number in self.outcomes.items() if not outcomes or outcome in outcomes)


class Intake:
    """Takes in the events, in groups of which each is one transaction.

    What is older than `folded` is written to the ledger by the hour, as the server folds it.
    """

    def __init__(self, keys: dict[tuple[str, str], Issued], rng: Random, folded: datetime) -> None:
        self.made = Made()
        self._keys, self._rng, self._folded = keys, rng, folded
        # Counts of its own: those of the process go to its metrics and to its own writer.
        self._counts = Counts()
        self._arrivals: list[Arrival] = []
        self._records: list[Record] = []
        self._names = {issued.key.partner_id: partner for (partner, _), issued in keys.items()}

    def take(self, sent: Iterable[Sent]) -> None:
        """Take in everything, in order. Raises `django.db.Error`."""
        for request in requests(sent):
            self._receive(request)
            if len(self._arrivals) >= GROUP or len(self._records) >= GROUP:
                self._store()
        self._store()

    def _receive(self, request: list[Sent]) -> None:
        first = request[0]
        source = self._source(first)
        request_id = f"demo-{self._rng.getrandbits(64):016x}"
        size = sum(len(sent.body) + 1 for sent in request)
        tally = self._counts.receive(source, Endpoint(first.endpoint), len(request), size)
        for sent in request:
            try:
                arrival = self._judge(sent, source, request_id, tally)
            except Refusal as refusal:
                self._counts.settle(tally, Outcome.REJECTED, refusal.code, 1)
                told = causes.of_event(refusal, sent.body)
                self._records.append(Record.of_refusal(told, source, sent.body, request_id))
                self.made.outcomes[sent.partner, Outcome.REJECTED] += 1
                begin, _ = self.made.refused.get(sent.agent, (sent.at, sent.at))
                self.made.refused[sent.agent] = begin, sent.at
            else:
                self._arrivals.append(arrival)

    def _judge(self, sent: Sent, source: Source, request_id: str, tally: Tally) -> Arrival:
        id = uuid7(sent.at, self._rng.getrandbits(74))
        row = assembly.build(contract.decode(sent.body), source, id)
        return Arrival.of(row, sent.body, request_id, tally, meta=source.meta)

    def turn_away(self, key: ApiKey, moments: Iterable[datetime], code: str) -> None:
        """Count requests with a key that is not accepted."""
        for moment in moments:
            self._counts.turn_away(_source_of(key, moment), Endpoint.COLLECT, code)
        entries.add(self._counted())

    def _source(self, sent: Sent) -> Source:
        key = self._keys[sent.partner, sent.label].key
        self.made.last_used[key.pk] = sent.at
        meta = {"HTTP_USER_AGENT": sent.agent, "CONTENT_TYPE": "application/json"}
        builds.count(key.pk, meta, sent.at)
        source = _source_of(key, sent.at, sent.address, sent.place)
        return msgspec.structs.replace(source, meta=meta)

    def _store(self) -> None:
        """Store what has come in, and tell those who look at the newest rows, and the search index, that it is old."""
        results = self._write()
        late.note(late.IMPORT, self._arrivals, results)
        self._arrivals, self._records = [], []

    @transaction.atomic
    def _write(self) -> list[Written]:
        """Store what has come in, and what was refused of it, all or nothing; return what became of it."""
        results = store.write(self._arrivals) if self._arrivals else []
        for arrival, written in zip(self._arrivals, results, strict=True):
            self.made.outcomes[self._names[arrival.row.partner_id], written.outcome] += 1
            self._counts.settle(arrival.tally, written.outcome, CODES.get(written.outcome, ""), 1)
            if written.outcome in CODES:
                self._records.append(Record.of_written(arrival, written))
        # Before the rejections, which would date a build that they are the first to name.
        builds.write()
        rejections.keep(self._records)
        entries.add(self._counted())
        return results

    def _counted(self) -> dict[Entry, Amount]:
        counts = entries.total(self._counts.take())
        old = {entry: amount for entry, amount in counts.items() if entry.start < self._folded}
        return {entry: counts[entry] for entry in counts.keys() - old.keys()} | entries.by_hour(old)


def _source_of(key: ApiKey, at: datetime, address: str | None = None, place: Geo = UNKNOWN) -> Source:
    return Source(
        partner_id=key.partner_id, api_key_id=key.pk, is_test=key.is_test, received_at=at, ip_address=address, geo=place
    )


def requests(sent: Iterable[Sent]) -> Iterator[list[Sent]]:
    """Yield the events of each request: one, or those of a batch."""
    for (_, _, _, endpoint), group in groupby(sent, lambda one: (one.at, one.partner, one.label, one.endpoint)):
        if endpoint == BATCH:
            yield list(group)
        else:
            yield from ([one] for one in group)
