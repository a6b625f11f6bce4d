import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from django.db import OperationalError
from pytest_django import Settings

from collect.intake.source import Source
from collect.models import LedgerEntry, LedgerGap, Machine
from collect.storage import spool
from collect.storage.ledger import entries, lives, writing
from collect.storage.ledger.lives import Life
from collect.storage.ledger.tally import Counts, Endpoint
from collect.storage.ledger.writing import Writer
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])

NOON = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, settings: Settings) -> None:
    """A directory of its own: a file of a process that another test has killed is nobody's gap here."""
    settings.VAR_DIR = tmp_path


@pytest.fixture
def source() -> Source:
    return factories.source(factories.key()[0], received_at=NOON)


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def without_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: False)


@pytest.fixture
def with_spool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    yield
    spool.discard_counts([name for name, _ in spool.counts(1_000)])


def send(counts: Counts, source: Source, events: int, outcome: str = "stored") -> None:
    counts.settle(counts.receive(source, Endpoint.BATCH, events, 100), outcome, "", events)


def numbers() -> dict[str, int]:
    return dict(LedgerEntry.objects.values_list("outcome", "events"))


def away(*_: object, **__: object) -> None:
    raise OperationalError("away")


def test_what_came_in_and_what_became_of_it_is_written_by_minute(counts: Counts, source: Source) -> None:
    send(counts, source, 3)
    Writer(counts).write()
    received = LedgerEntry.objects.get(outcome="received")
    assert (received.events, received.requests, received.bytes) == (3, 1, 100)
    assert (received.start, received.minutes) == (NOON.replace(second=0), 1)
    assert (received.partner_id, received.api_key_id) == (source.partner_id, source.api_key_id)
    assert numbers() == {"received": 3, "stored": 3}


def test_outcome_counts_for_the_minute_in_which_the_event_came(counts: Counts, source: Source) -> None:
    writer = Writer(counts)
    tally = counts.receive(source, Endpoint.COLLECT, 1, 10)
    writer.write()
    counts.receive(
        factories.source(factories.key()[0], received_at=NOON + timedelta(minutes=5)), Endpoint.COLLECT, 1, 1
    )
    writer.write()
    counts.settle(tally, "stored", "", 1)
    writer.write()
    assert LedgerEntry.objects.get(outcome="stored").start == NOON.replace(second=0)
    assert sum(row.events for row in LedgerEntry.objects.filter(outcome="received")) == 2


def test_batch_that_failed_is_written_later_and_once(
    counts: Counts, source: Source, monkeypatch: pytest.MonkeyPatch, without_spool: None
) -> None:
    writer = Writer(counts)
    send(counts, source, 3)
    with monkeypatch.context() as broken:
        broken.setattr(entries, "add_once", away)
        writer.write()
        send(counts, source, 4)
        writer.write()
    assert numbers() == {}
    writer.end()
    assert numbers() == {"received": 7, "stored": 7}


def test_commit_whose_answer_is_lost_counts_once(
    counts: Counts, source: Source, monkeypatch: pytest.MonkeyPatch, with_spool: None
) -> None:
    writer, add_once = Writer(counts), entries.add_once

    def add_and_fail(*args: object, **named: object) -> None:
        add_once(*args, **named)  # type: ignore[arg-type]  # passed on as they came
        away()

    send(counts, source, 3)
    with monkeypatch.context() as broken:
        broken.setattr(entries, "add_once", add_and_fail)
        writer.write()
    assert len(spool.counts(10)) == 1
    writer.turn()
    assert (numbers(), spool.counts(10)) == ({"received": 3, "stored": 3}, [])


def test_counts_wait_in_the_spool_while_the_database_is_away(
    counts: Counts, source: Source, monkeypatch: pytest.MonkeyPatch, with_spool: None
) -> None:
    writer = Writer(counts)
    with monkeypatch.context() as broken:
        broken.setattr(entries, "add_once", away)
        for _ in range(3):
            send(counts, source, 5)
            writer.write()
    assert len(spool.counts(10)) == 3
    # Another process of the machine may be the one that finds the database back.
    Writer(Counts()).turn()
    assert numbers() == {"received": 15, "stored": 15}


def test_memory_is_bounded_in_a_long_outage(
    counts: Counts, source: Source, monkeypatch: pytest.MonkeyPatch, without_spool: None
) -> None:
    writer = Writer(counts)
    with monkeypatch.context() as broken:
        broken.setattr(entries, "add_once", away)
        broken.setattr(writing, "_MAX_WAITING", 10)
        for minute in range(300):
            at = NOON + timedelta(minutes=minute)
            send(counts, msgspec.structs.replace(source, received_at=at), 1)
            writer.write()
    writer.end()
    assert sum(row.events for row in LedgerEntry.objects.filter(outcome="stored")) == 300
    # The first batch is one minute, the next one has all the others, by hour.
    assert LedgerEntry.objects.filter(outcome="stored").count() <= 1 + 10


def test_process_that_was_killed_leaves_the_number_of_what_is_unknown(counts: Counts, source: Source) -> None:
    life = Life(counts)
    began = datetime.now(UTC) - timedelta(milliseconds=1)  # of which the file has no parts
    life.begin()
    tally = counts.receive(source, Endpoint.BATCH, 7, 100)
    counts.settle(tally, "stored", "", 7)
    life.wrote(4)
    now = datetime.now(UTC)
    lives.note_gaps(now)
    assert not LedgerGap.objects.exists()  # it lives
    life.close()
    lives.note_gaps(now)
    lives.note_gaps(now)
    gap = LedgerGap.objects.get()
    assert (gap.events, gap.end) == (3, now)
    assert began <= gap.start <= now


def test_process_that_ended_in_order_leaves_nothing(counts: Counts, source: Source) -> None:
    writer = Writer(counts)
    writer.begin()
    send(counts, source, 3)
    writer.end()
    lives.note_gaps(datetime.now(UTC))
    assert not LedgerGap.objects.exists()
    assert numbers() == {"received": 3, "stored": 3}


def test_without_a_place_for_the_file_counts_are_written_all_the_same(
    counts: Counts, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(lives, "_directory", lambda: file / "ledger")
    writer = Writer(counts)
    writer.begin()
    send(counts, source, 3)
    writer.end()
    assert numbers() == {"received": 3, "stored": 3}
    assert "no file for its counts" in caplog.text


def test_machine_describes_itself(counts: Counts) -> None:
    began = datetime.now(UTC)
    writer = Writer(counts)
    for _ in range(4):
        writer.turn()
    found = Machine.objects.get()
    assert found.name
    assert began <= found.reported_at <= datetime.now(UTC)


def test_full_disk_at_the_start_leaves_the_numbers_in_memory(
    counts: Counts, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is written before it is mapped: a hole would kill the process when it is first written to."""

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    Life(counts).begin()
    counts.receive(source, Endpoint.COLLECT, 1, 1)
    assert counts.numbers[0] == 1
    assert "no file for its counts" in caplog.text


def test_file_that_is_being_made_is_nobodys(counts: Counts) -> None:
    unfinished = lives._directory() / "0b5b9a5c-0000-4000-8000-000000000000.new"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    lives.note_gaps(datetime.now(UTC))
    assert unfinished.exists()
    unfinished.unlink()


def test_what_begins_while_counts_are_taken_is_taken_next(counts: Counts, source: Source) -> None:
    """With SQLite they are taken in another thread: here another key begins between two entries."""
    other = msgspec.structs.replace(source, api_key_id=7)
    send(counts, source, 1)
    taken = counts.take()
    next(taken)
    tally = counts.receive(other, Endpoint.BATCH, 1, 1)
    list(taken)
    tally.events += 1
    assert sum(amount.events for entry, amount in counts.take() if entry.api_key_id == 7) == 2


def test_imported_events_of_two_partners_and_kinds_are_counted_apart(counts: Counts, source: Source) -> None:
    """None has a key, and all are of one minute and one file."""
    imported = msgspec.structs.replace(source, api_key_id=None)
    other = msgspec.structs.replace(imported, partner_id=factories.partner("Other").pk)
    for sender in (imported, other, other, msgspec.structs.replace(imported, is_test=True)):
        counts.move(sender, Endpoint.IMPORT, "stored")
    Writer(counts).write()
    found = LedgerEntry.objects.values_list("partner", "is_test", "events")
    assert set(found) == {(source.partner_id, False, 1), (source.partner_id, True, 1), (other.partner_id, False, 2)}
