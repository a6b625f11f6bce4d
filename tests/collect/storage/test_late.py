"""What is committed long after it was received is noted by whatever committed it."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, OperationalError

from collect.intake.source import Source
from collect.models import Event, LateArrival, Rejection
from collect.storage import drain, ingest, late, spool
from collect.storage.outcomes import Outcome
from collect.storage.rows import moment_of, uuid7
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import databases, factories

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])

RECEIVED = datetime.now(UTC) - timedelta(hours=2)


@pytest.fixture(autouse=True)
def _enabled(own_spool: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that is used with SQLite, too."""
    monkeypatch.setattr(spool, "is_enabled", lambda: True)


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


@pytest.fixture
def source(key: ApiKey) -> Source:
    return factories.source(key, received_at=RECEIVED)


def noted() -> list[tuple[str, int, int]]:
    """What was noted: by what, how many events, how many rejections."""
    return list(LateArrival.objects.order_by("pk").values_list("road", "events", "rejections"))


def test_events_and_conflicts_from_the_spool_are_noted_with_their_time(source: Source) -> None:
    young = factories.source(ApiKey.objects.get())
    ingest.submit([factories.arrival(young, event_id="a", params={"value": 1})])
    old = [factories.arrival(source, event_id=id, params={"value": 2}) for id in ("a", "b", "c")]
    spool.append([*old, factories.arrival(young, event_id="young")])
    assert drain.drain() == 4
    assert noted() == [("spool", 2, 1)]
    (one,) = LateArrival.objects.all()
    assert (one.partner_id, one.end) == (source.partner_id, RECEIVED)
    assert one.start == RECEIVED.replace(microsecond=RECEIVED.microsecond // 1000 * 1000)


def test_what_the_spool_moves_again_after_a_crash_is_noted_again(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append([factories.arrival(source, event_id="a")])

    def crash(*_arguments: object) -> None:
        raise databases.failure("57P01", OperationalError)

    with monkeypatch.context() as broken:
        broken.setattr(late, "note", crash)
        with pytest.raises(OperationalError):
            drain.drain()
    assert (Event.objects.count(), noted()) == (1, [])
    assert drain.drain() == 1
    assert (Event.objects.count(), noted()) == (1, [("spool", 1, 0)])


def test_notes_that_cannot_be_written_hold_up_no_event(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise databases.failure("42501", DatabaseError)

    monkeypatch.setattr(late, "note", refuse)
    spool.append([factories.arrival(source, event_id="a")])
    assert drain.drain() == 1
    assert ingest.submit([factories.arrival(source, event_id="b")])[0].outcome is Outcome.STORED
    assert (Event.objects.count(), spool.head()) == (2, None)


def test_what_waited_too_long_in_the_server_is_noted(source: Source) -> None:
    young = factories.source(ApiKey.objects.get())
    ingest.submit([factories.arrival(young)])
    assert noted() == []
    ingest.submit([factories.arrival(young), factories.arrival(source)])
    assert noted() == [("delay", 1, 0)]


def test_import_is_noted_where_its_ids_or_its_moments_are_old_and_only_the_first_time(
    key: ApiKey, tmp_path: Path
) -> None:
    path = tmp_path / "old.ndjson"
    lines = [{"event_name": "x", "timestamp": 1_700_000_000 + number} for number in range(3)]
    path.write_text("\n".join(map(json.dumps, lines)))
    command = ("import_events", "--partner", "Acme", str(path))
    call_command(*command, "--dry-run", stdout=io.StringIO(), stderr=io.StringIO())
    assert noted() == []
    for _ in range(2):
        call_command(*command, stdout=io.StringIO(), stderr=io.StringIO())
    assert sum(events for road, events, _ in noted() if road == "import") == 3
    assert LateArrival.objects.earliest("start").start == datetime.fromtimestamp(1_700_000_000, UTC)


def test_replay_is_noted(source: Source) -> None:
    factories.reject(Refusal(Code.INVALID_EVENT, "no"), source, b'{"event_name": "x"}')
    call_command("replay_rejections", stdout=io.StringIO(), stderr=io.StringIO())
    assert Rejection.objects.get().replayed_as is not None
    assert noted() == [("replay", 1, 0)]


def test_old_notes_are_deleted(source: Source) -> None:
    kept = {"road": "spool", "partner_id": source.partner_id, "events": 9, "rejections": 0}
    moments = {"start": RECEIVED, "end": RECEIVED}
    LateArrival.objects.create(at=datetime.now(UTC) - late.KEPT - timedelta(minutes=1), **kept, **moments)
    ingest.submit([factories.arrival(source)])
    assert noted() == [("delay", 1, 0)]


def test_moment_is_that_of_the_id_and_none_where_it_has_none() -> None:
    moment = datetime(2026, 11, 26, 14, 2, 10, 123_000, tzinfo=UTC)
    assert moment_of(uuid7(moment)) == moment
    assert moment_of("ffffffff-ffff-7fff-8fff-ffffffffffff") is None
    assert moment_of("6ba7b810-9dad-41d1-80b4-00c04fd430c8") is None
