"""The spool and the way out of it: in order, once, whatever breaks in between."""

import fcntl
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from pytest_django import Settings

from collect.intake.source import Source
from collect.models import Event, Rejection
from collect.storage import drain, ingest, spool, spool_file
from collect.storage.rows import Arrival
from keys.models import ApiKey, Partner
from runtime import outage
from runtime.periodic import Busy
from tests.harness import factories
from tests.harness.prometheus import counted

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])


@pytest.fixture(autouse=True)
def _enabled(own_spool: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that is used with SQLite, too."""
    monkeypatch.setattr(spool, "is_enabled", lambda: True)


@pytest.fixture
def source() -> Source:
    api_key, _ = factories.key()
    return factories.source(api_key)


def arrivals(source: Source, count: int, **fields: Any) -> list[Arrival]:
    return [factories.arrival(source, event_id=f"event-{n}", **fields) for n in range(count)]


def test_every_connection_to_the_spool_is_in_wal_and_synchronous_full(source: Source) -> None:
    connections["spool"].close()
    with connections["spool"].cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_is_taken_is_what_was_appended_in_order(source: Source) -> None:
    first, second = arrivals(source, 3), arrivals(source, 2, params={"a": 1.50})
    spool.append(first)
    spool.append(second)
    assert [one.arrival[:4] for one in spool.take(4)] == [one[:4] for one in (*first, second[0])]
    spool.discard(spool.take(4))
    assert [one.arrival[:4] for one in spool.take(4)] == [second[1][:4]]


def test_sample_has_each_event_once(source: Source) -> None:
    assert spool.sample(16) == []
    spool.append(arrivals(source, 3))
    found = spool.sample(100)
    assert sorted(str(one.arrival.row.event_id) for one in found) == ["event-0", "event-1", "event-2"]


def test_sample_without_one_has_another_as_long_as_there_is_one(source: Source) -> None:
    spool.append(arrivals(source, 3))
    a, b, c = spool.take(3)
    for _ in range(50):
        assert {one.place for one in spool.sample(2, but=c.place)} <= {a.place, b.place}
        assert spool.sample(1, but=c.place)
    spool.discard([a])
    spool.discard([c])
    assert spool.sample(2, but=b.place) == []


def test_event_comes_out_of_the_spool_with_all_that_it_can_have(source: Source) -> None:
    appended = factories.arrival(source, **factories.SEED_EVENT, consent={"ad": True}, unknown=[1], user_agent="curl/8")
    spool.append([appended])
    assert spool.take(1)[0].arrival[:4] == appended[:4]
    assert drain.drain() == 1
    assert Event.objects.get().consent == {"ad": True}


def test_event_that_another_version_spooled_is_stored(source: Source) -> None:
    """The version before knows no column that came since, and a later one has columns that this one does not know."""
    before, later = (factories.arrival(source, event_id=id, user_agent="AhrefsBot/7.0") for id in ("before", "later"))
    old, new = json.loads(before.document), json.loads(later.document)
    assert old.pop("ua_bot_reason") == "crawler"
    new["of_a_later_version"] = 1
    spool.append(
        [before._replace(document=json.dumps(old).encode()), later._replace(document=json.dumps(new).encode())]
    )
    assert drain.drain() == 2
    assert set(Event.objects.values_list("event_id", "ua_is_bot", "ua_bot_reason")) == {
        ("before", True, None),
        ("later", True, "crawler"),
    }


def test_status_says_how_many_wait_and_for_how_long(source: Source) -> None:
    assert spool.status()[:2] == (0, None)
    early = factories.source(factories.key()[0], received_at=datetime.now(UTC) - timedelta(minutes=5))
    spool.append([factories.arrival(early)])
    spool.append(arrivals(source, 2))
    found = spool.status()
    assert (found.events, found.oldest) == (3, early.received_at)
    assert 0 < found.bytes < 100_000


def test_every_connection_to_the_spool_has_its_bound_and_leaves_nothing_in_the_file(settings: Settings) -> None:
    settings.SPOOL_MAX_BYTES = 1000 * spool_file.PAGE_BYTES
    connections["spool"].close()
    with connections["spool"].cursor() as cursor:
        assert cursor.execute("PRAGMA max_page_count").fetchone() == (1000,)
        assert cursor.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_connection_that_could_not_be_set_up_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: kept open without its tables it would fail for ever, also once there is space."""
    connections["spool"].close()
    with monkeypatch.context() as patch:
        patch.setattr(spool_file, "_TABLES", ("CREATE TABLE nonsense",))
        with pytest.raises(OperationalError):
            spool.head()
    assert spool.head() is None


def test_full_spool_refuses_the_group_whole_and_takes_again_when_there_is_room(source: Source) -> None:
    with connections["spool"].cursor() as cursor:
        cursor.execute("PRAGMA max_page_count=20")
        large = arrivals(source, 10, params={"text": "x" * 20_000})
        with pytest.raises(OperationalError):
            spool.append(large)
        assert spool.head() is None
        spool.append(arrivals(source, 1))
        cursor.execute("PRAGMA max_page_count=100000")
    spool.append(large)
    assert spool.status().events == 11


def test_drain_stores_in_order_and_empties_the_spool(source: Source) -> None:
    waiting = arrivals(source, 5)
    spool.append(waiting)
    assert drain.drain(step=2) == 5
    assert spool.head() is None
    stored = Event.objects.order_by("received_at", "event_id").values_list("event_id", flat=True)
    assert list(stored) == [f"event-{n}" for n in range(5)]


def test_drain_that_stored_and_died_before_it_discarded_stores_nothing_twice(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append([*arrivals(source, 2), factories.arrival(source)])
    with monkeypatch.context() as patch:
        patch.setattr(spool, "discard", lambda spooled: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            drain.drain()
    assert Event.objects.count() == 3
    assert drain.drain() == 3
    assert Event.objects.count() == 3
    assert not Rejection.objects.exists()


def test_drain_keeps_a_conflict_as_a_rejection_with_the_body_as_sent(source: Source) -> None:
    ingest.submit(arrivals(source, 1))
    late = factories.arrival(source, event_id="event-0", params={"other": True})
    spool.append([late])
    drain.drain()
    rejection = Rejection.objects.get()
    assert (rejection.code, rejection.errors) == ("conflict", {"params": ["differs"]})
    assert json.loads(bytes(rejection.body)) == json.loads(late.body)


def test_event_whose_partner_is_gone_is_set_aside_and_holds_up_nothing(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    """Restored from a backup older than the partner: the acknowledged event waits until the partner is back."""
    homeless = factories.arrival(factories.source(ApiKey(pk=0, partner_id=0)), event_id="homeless")
    spool.append([*arrivals(source, 2), homeless, factories.arrival(source, event_id="last")])
    assert drain.drain() == 3
    assert sorted(map(str, Event.objects.values_list("event_id", flat=True))) == ["event-0", "event-1", "last"]
    assert (spool.head(), spool.status().events, spool.status().set_aside) == (None, 0, 1)
    call_command("drain_spool", "--dry-run")
    assert "1 events are set aside: " in capsys.readouterr().out
    call_command("drain_spool", "--set-aside")
    assert spool.status().set_aside == 1  # refused again, and again kept
    Partner(pk=0, name="Restored").save()
    ApiKey(pk=0, partner_id=0, prefix="thrad_live_restored", digest="0" * 64, label="restored").save()
    call_command("drain_spool", "--set-aside")
    assert Event.objects.get(event_id="homeless").partner_id == 0
    assert spool.status()[:2] == (0, None)
    assert spool.status().set_aside == 0


def test_rejection_is_counted_once_however_often_it_is_drained(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest.submit(arrivals(source, 1))
    spool.append([factories.arrival(source, event_id="event-0", params={"other": True})])
    before = counted("thrad_rejections_total", code="conflict")
    with monkeypatch.context() as patch:
        patch.setattr(spool, "discard", lambda spooled: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            drain.drain()
    drain.drain()
    assert counted("thrad_rejections_total", code="conflict") == before + 1


def test_only_one_drains_at_a_time(source: Source) -> None:
    spool.append(arrivals(source, 1))
    with open(f"{settings.SPOOL_PATH}.lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Busy):
            drain.drain()
        with pytest.raises(CommandError, match="Another process"):
            call_command("drain_spool")
    assert drain.drain() == 1


def test_round_ends_the_outage_when_it_has_drained(source: Source) -> None:
    outage.begin(OperationalError("away"))
    spool.append(arrivals(source, 1))
    drain.Drainer().round()
    assert not outage.database.is_open
    assert not outage.writing.is_open
    assert Event.objects.count() == 1


def test_turn_says_once_that_the_spool_cannot_be_drained(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> NoReturn:
        raise OperationalError("disk I/O error")

    drainer = drain.Drainer()
    with monkeypatch.context() as patch:
        patch.setattr(spool, "head", broken)
        for _ in range(3):
            drainer.turn()
    drainer.turn()
    assert [record.getMessage() for record in caplog.records] == ["the spool cannot be drained"]


def test_round_with_nothing_to_drain_lets_events_try_again_unless_the_database_is_out_of_reach(source: Source) -> None:
    outage.writing.open(OperationalError("disk full"))
    drain.Drainer().round()
    assert not outage.database.is_open
    assert not outage.writing.is_open
    outage.database.open(OperationalError("away"))
    drain.Drainer().round()
    assert outage.database.is_open


def test_round_leaves_the_circuit_open_while_nothing_moves(source: Source) -> None:
    drainer = drain.Drainer()
    spool.append(arrivals(source, 3))
    outage.begin(OperationalError("away"))
    with open(f"{settings.SPOOL_PATH}.lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        drainer.round()
        drainer.round()
        assert outage.writing.is_open
        spool.discard(spool.take(1))  # the other one gets on
        drainer.round()
        assert not outage.database.is_open
        assert not outage.writing.is_open


def test_command_drains_and_dry_run_only_says(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    spool.append(arrivals(source, 3))
    call_command("drain_spool", "--dry-run")
    assert "3 events wait" in capsys.readouterr().out
    assert not Event.objects.exists()
    call_command("drain_spool")
    assert capsys.readouterr().out == "3 events moved to the database.\n"
    assert Event.objects.count() == 3
