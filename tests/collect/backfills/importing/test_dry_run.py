"""A dry run says exactly what the run will do, and holds nobody up."""

import random
from typing import Any

import pytest
from django.db import connection
from msgspec import Raw

from collect.backfills import importing, walk
from collect.backfills.replaying import ReplayOptions, replay_rejections
from collect.mending.operations import Set
from collect.models import Event
from collect.storage import ingest
from keys.models import ApiKey, Partner
from runtime.refusals import Code, Refusal
from tests.collect.backfills.importing.loading import SEED, Loader, exported, lines
from tests.collect.backfills.runs import NewRun
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_imported_before_is_foreseen(load: Loader) -> None:
    content = lines(
        SEED, {"event_name": "x"}, {"event_name": "x"}, exported(), exported(id=exported()["id"][:-1] + "9")
    )
    assert load(content, dry_run=True) == load(content) == {"stored": 5}
    assert load(content, dry_run=True) == load(content) == {"stored before": 5}


def test_repetitions_within_a_file_are_foreseen(load: Loader) -> None:
    other = "01a20e6c-438d-7121-b8b0-8d8bb91d1ea4"
    content = lines(
        exported(), exported(), exported(params={"x": 1}), exported(event_id="a"),
        exported(id=other, event_id="b"), exported(id=other, event_id="b"), exported(event_id="b", id=other[:-1] + "5"),
        SEED, SEED, {**SEED, "params": {"v": -1}},
        *({"event_name": "n", "event_id": "n", "params": {"v": value}} for value in (-1, -2)),
        *({"event_name": "n", "event_id": "m", "params": params} for params in ({"v": 1, "w": 2}, {"w": 2.0, "v": 1})),
        *({"event_name": "n", "event_id": "t", "params": {"v": value}} for value in (True, 1)),
    )  # fmt: skip
    foreseen = load(content, dry_run=True)
    assert load(content) == foreseen
    assert foreseen == {"stored": 6, "stored before": 2, "conflict": 5, "duplicate": 3}
    again = {"stored before": 8, "conflict": 5, "duplicate": 3}
    assert load(content, dry_run=True) == load(content) == again


def test_new_partners_and_keys_of_an_export_are_foreseen(load: Loader) -> None:
    one, two = (exported(partner=name, event_id="a", id=f"01a20e6c-438d-7121-b8b0-8d8bb91d1ea{name}") for name in "12")
    content = lines(one, two | {"api_key": "thrad_live_lkjihgfedcba"}, two | {"event_id": "b"})
    foreseen = load(content, partner=None, dry_run=True)
    assert foreseen == {"stored": 2, "refused: invalid_event": 1}
    assert not Partner.objects.exists()
    assert load(content, partner=None) == foreseen


def random_event(chance: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"event_name": chance.choice("xy"), "params": {"n": chance.choice([-1, -2, 1, 1.0])}}
    if chance.random() < 0.6:
        made["event_id"] = chance.choice("abcdef")
    if chance.random() < 0.5:
        id = f"01a20e6c-438d-7121-b8b0-8d8bb91d1e{chance.randrange(16):02x}"
        return exported(**made, id=id, api_key=None, partner=chance.choice(["acme", "other"]))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_random_files_are_foreseen(load: Loader, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Equal ids, equal idempotency keys, equal and other content, of two partners."""
    monkeypatch.setattr(importing, "STEP", 7)
    # Two threads of PostgreSQL write equal ids with other keys in an order that nobody can foresee.
    monkeypatch.setattr("collect.backfills.writing.zlib.crc32", lambda _key: 0)
    chance = random.Random(seed)
    for number in range(3):
        content = lines(*(random_event(chance) for _ in range(60)))
        foreseen = load(content, f"{number}.ndjson", partner=None if number else "acme", dry_run=True)
        assert load(content, f"{number}.ndjson", partner=None if number else "acme") == foreseen


def test_rejections_that_conflict_with_each_other_are_foreseen(new_run: NewRun, api_key: ApiKey) -> None:
    refusal = Refusal(Code.INVALID_EVENT, "tag_id: must be a string")
    bodies = [
        b'{"event_name": "a", "event_id": "1", "tag_id": 5}',
        b'{"event_name": "b", "event_id": "1", "tag_id": 5}',
    ]
    factories.reject(refusal, factories.source(api_key), *bodies)
    dry, run = new_run(dry_run=True), new_run()
    options = ReplayOptions(operations=[Set("tag_id", Raw(b'"t"'))])
    assert replay_rejections(options, dry) == replay_rejections(options, run) == 1
    assert +dry.counts == +run.counts == {"stored": 1, "still refused: conflict": 1}


def test_walk_that_writes_nothing_makes_no_way_for_writers(
    new_run: NewRun, api_key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest.write([factories.arrival(factories.source(api_key)) for _ in range(3)])
    monkeypatch.setattr(walk, "making_way", pytest.fail)
    in_transaction = []

    def look(events: Any) -> int:
        in_transaction.append(connection.in_atomic_block)
        return len(events)

    walk.walk(Event.objects.all(), new_run(dry_run=True), look)
    assert in_transaction == [False]
