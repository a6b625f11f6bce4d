"""Brings the month into the database by the roads that events take: live, spooled, imported, replayed, erased."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from django.core.management import call_command

from collect import assembly
from collect.enrichment.city import Geo
from collect.intake import contract
from collect.storage import drain, rejections, spool, store
from collect.storage.outcomes import Outcome
from collect.storage.rejections import Record
from collect.storage.rows import Arrival, Row, uuid7
from keys.models import ApiKey
from runtime.refusals import Refusal
from tests.harness import factories
from tests.reporting.month.known import Known
from tests.reporting.month.plan import AGENTS, BEGIN, ERASED, IMPORTED, LIVE, PARTNERS, REPLAYED, SPOOLED, Planned

# What one statement stores, as of a busy server and of an import.
GROUP = 2_000


def moment(milliseconds: int) -> datetime:
    return BEGIN + timedelta(milliseconds=milliseconds)


def sent(event: Planned, **more: Any) -> bytes:
    """The body of an event, as its sender writes it."""
    fields = {
        "event_name": event.name,
        "tag_id": event.tag,
        "event_id": event.event_id,
        "timestamp": (BEGIN.timestamp() * 1_000 + event.at) / 1_000,
        "user_agent": AGENTS[event.browser],
        "client_id": _id("c", event.client),
        "session_id": _id("s", event.session),
        "click_id": _id("k", event.click),
        "impression_id": _id("i", event.impression),
        "attribution_type": event.attribution,
        **more,
    }
    text = json.dumps({name: value for name, value in fields.items() if value is not None})
    # As it is, so that 58.00 stays 58.00.
    return f'{text[:-1]}, "params": {event.money.params}}}'.encode()


def _id(prefix: str, number: int | None) -> str | None:
    return None if number is None else f"{prefix}{number}"


@dataclass
class Roads:
    """The roads into one database. With `is_fast` a live event is a row at once, of which nothing is looked up."""

    directory: Path
    is_fast: bool = False
    keys: dict[tuple[int, bool], ApiKey] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    # What is sent again after it was erased.
    _erased: list[Planned] = field(default_factory=list)
    _waiting: list[Planned] = field(default_factory=list)
    _spooled: list[Planned] = field(default_factory=list)

    def bring(self, planned: Iterator[Planned]) -> None:
        """Send what is live and count it; then send all else, which changes what was counted, erase some, count again.

        That is the order in which the rollup meets them: live events come with the clock, the others at any time.
        """
        self._make_keys()
        while group := list(islice(planned, GROUP)):
            self._send(group)
        call("rollup")
        self._drain()
        self._import()
        self._replay()
        call("rollup")
        self._erase()
        call("rollup")

    def _make_keys(self) -> None:
        for partner, name in enumerate(PARTNERS):
            for is_test in (False, True):
                key, _ = factories.key(factories.partner(name), is_test=is_test)
                self.keys[partner, is_test] = key

    def _send(self, group: Sequence[Planned]) -> None:
        by_road: dict[str, list[Planned]] = {LIVE: [], SPOOLED: [], IMPORTED: [], REPLAYED: []}
        for event in group:
            by_road[event.road].append(event)
            if event.is_erased:
                self._erased.append(event)
            else:
                self.known.add(event)
        self._store(by_road[LIVE])
        self._spooled += by_road[SPOOLED]
        self._note(by_road[IMPORTED])
        self._reject(by_road[REPLAYED])

    def _store(self, events: Sequence[Planned]) -> None:
        """Store live events. What they were sent before they are sent again by a group later, and in the same one."""
        arrivals = [self._arrival(event) for event in events]
        again = [self._arrival(event, 1) for event in self._waiting]
        self._waiting = [event for event in events if event.is_sent_twice]
        at_once = [self._arrival(event, 1) for event in self._waiting]
        written = store.write([*arrivals, *again, *at_once])
        expected = [Outcome.STORED] * len(arrivals) + [Outcome.DUPLICATE] * (len(again) + len(at_once))
        assert [one.outcome for one in written] == expected

    def _drain(self) -> None:
        for start in range(0, len(self._spooled), GROUP):
            spool.append([self._arrival(event) for event in self._spooled[start : start + GROUP]])
        assert drain.drain() == len(self._spooled)

    def _arrival(self, event: Planned, later: int = 0) -> Arrival:
        key = self.keys[event.partner, event.is_test]
        received = moment(event.arrives + later)
        body = sent(event)
        if self.is_fast:
            return Arrival.of(_row(event, key, received), body, "")
        source = factories.source(key, received_at=received, geo=Geo(country=event.country))
        return Arrival.of(assembly.build(contract.decode(body), source), body, "")

    def _reject(self, events: Sequence[Planned]) -> None:
        """Keep events that were refused, since their name is misspelled."""
        records = []
        for event in events:
            source = factories.source(self.keys[event.partner, False], received_at=moment(event.arrives))
            body = sent(event, event_name=None, eventName=event.name)
            try:
                contract.decode(body)
            except Refusal as refusal:
                records.append(Record.of_refusal(refusal, source, body, "request"))
        assert len(records) == len(events)
        rejections.keep(records)

    def _note(self, events: Sequence[Planned]) -> None:
        """Write events to the files that are imported later; some stand in them twice."""
        for partner in range(len(PARTNERS)):
            with self._file(partner).open("ab") as file:
                for event in events:
                    if event.partner == partner:
                        received = (BEGIN.timestamp() * 1_000 + event.arrives) / 1_000
                        file.write((sent(event, received_at=received) + b"\n") * (1 + event.is_sent_twice))

    def _file(self, partner: int) -> Path:
        return self.directory / f"{PARTNERS[partner]}.ndjson"

    def _import(self) -> None:
        # The second time it adds nothing.
        for partner in (*range(len(PARTNERS)), 0):
            call("import_events", str(self._file(partner)), partner=PARTNERS[partner], channel="history")

    def _replay(self) -> None:
        call("replay_rejections", "--rename", "eventName=event_name")

    def _erase(self) -> None:
        for client in ERASED:
            call("erase_events", partner=PARTNERS[0], client_id=f"c{client}")
        again = [self._arrival(event) for event in self._erased if event.event_id is not None]
        for start in range(0, len(again), GROUP):
            assert {one.outcome for one in store.write(again[start : start + GROUP])} == {Outcome.DUPLICATE}


def call(name: str, *arguments: str, **options: Any) -> None:
    call_command(name, *arguments, stdout=io.StringIO(), stderr=io.StringIO(), **options)


def _row(event: Planned, key: ApiKey, received: datetime) -> Row:
    return Row(
        id=uuid7(received), received_at=received, timestamp=moment(event.at), partner_id=key.partner_id,
        api_key_id=key.pk, channel=event.channel, is_test=event.is_test, event_name=event.name, tag_id=event.tag,
        params=msgspec.Raw(event.money.params.encode()), extra=msgspec.Raw(b"{}"), event_id=event.event_id,
        user_agent=AGENTS[event.browser], session_id=_id("s", event.session), client_id=_id("c", event.client),
        click_id=_id("k", event.click), impression_id=_id("i", event.impression),
        attribution_type=event.attribution, geo_country=event.country, ua_browser=event.browser,
    )  # fmt: skip
