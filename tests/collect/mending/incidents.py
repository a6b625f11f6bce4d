"""Incidents: many rejections of one key and cause, as chance makes them, and what stands in their way."""

import json
import random
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User

from collect.mending import mends
from collect.mending.operations import Operation, Rename, ToNumber, ToSeconds, ToText, Wrap
from collect.models import ErasedEvent, Erasure, Mend, Rejection, RejectionGroup
from collect.storage import ingest, store
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import factories

# What a database that is to refuse rows for their values refuses, by the name of the event.
POISON = "poison"
OPERATIONS: list[Operation] = [
    Rename("event", "event_name"),
    ToNumber("timestamp"),
    ToSeconds("timestamp"),
    ToText("event_id"),
    ToNumber("params.items[].price"),
    Wrap("value"),
]


def bodies(chance: random.Random, number: int) -> Iterator[bytes]:
    """Bodies of which some become events by `OPERATIONS`, some repeat or contradict each other, and some cannot."""
    for _ in range(number):
        kind = chance.random()
        if kind < 0.05:
            yield chance.choice((b"", b"[]", b'{"event": "cut', b'"text"', b"[" * 100, b"\xff", b" " * 70_000))
            continue
        body: dict[str, Any] = {"event": chance.choice(("a", "a", "b", "", POISON, 5) if kind < 0.4 else ("a",))}
        body["timestamp"] = "1748275200000"
        if chance.random() < 0.8:
            body["event_id"] = chance.randrange(number)
        if chance.random() < 0.3:
            body["tag_id"] = chance.choice(("t", "u"))
        if chance.random() < 0.3:
            body["value"] = chance.choice((1, 2))
        body["params"] = {"items": [{"price": chance.choice(("1.50", "2", 3))}]} if chance.random() < 0.5 else {}
        yield json.dumps(body).encode()


def refuse(api_key: ApiKey, *of: bytes) -> RejectionGroup:
    """Keep rejections of these bodies; the group that they are."""
    refusal = Refusal(Code.INVALID_EVENT, "event_name: required", errors={"event_name": ["required"]})
    factories.reject(refusal, factories.source(api_key), *of)
    group = Rejection.objects.latest("pk").group
    assert group is not None
    return group


def incident(seed: int) -> RejectionGroup:
    """A group, with events beside it that are stored or erased, and rejections of it that were replayed before."""
    chance = random.Random(seed)
    api_key, _ = factories.key()
    source = factories.source(api_key)
    number = chance.randrange(30, 60)
    for each in range(0, number, 5):
        event = {"event_name": "a", "event_id": str(each), "timestamp": 1748275200, "params": {}}
        arrival = factories.arrival(source, **event)
        if chance.random() < 0.5:
            ingest.write([arrival])
        else:
            erasure, _ = Erasure.objects.get_or_create(
                partner_id=api_key.partner_id,
                field="event_id",
                subject="x",
                defaults={"requested_at": source.received_at},
            )
            ErasedEvent.objects.create(digest=store.digest(arrival.row), event=arrival.row.id, erasure=erasure)
    group = refuse(api_key, *bodies(chance, number))
    before = Rejection.objects.filter(group=group, pk__in=list(group.rejections.values_list("pk", flat=True))[3:6])
    before.update(replayed_as=factories.arrival(source).row.id)
    if chance.random() < 0.3:
        api_key.tags = ["site:unknown", "t"]
        api_key.save()
    return group


def operator() -> User:
    return User.objects.get_or_create(username="olga")[0]


def finish(mend: Mend) -> Mend:
    """The mend once it is done."""
    while mends.advance(mend.pk):
        pass
    mend.refresh_from_db()
    assert mend.state == Mend.State.DONE, mend.fault
    return mend


def previewed(group: RejectionGroup, operations: list[Operation] = OPERATIONS) -> Mend:
    return finish(mends.preview(operations, operator(), group=group))
