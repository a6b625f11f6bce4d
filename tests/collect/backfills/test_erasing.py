"""`erase_events`: what is erased stays away, and the proof tells nobody."""

import gzip
import json
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from django.db import connection, connections, transaction

from collect.backfills import erasing
from collect.backfills.erasing import EraseOptions, erase_events
from collect.backfills.run import Run
from collect.models import Capture, ErasedEvent, Erasure, Event, Rejection
from collect.storage import ingest, spool, store
from collect.storage.rows import Row
from keys.models import ApiKey
from tests.collect.backfills.old import events, left, refuse
from tests.collect.backfills.runs import Command, NewRun, send_beside
from tests.collect.captures.sent import EVENT, arm, send, written
from tests.harness import factories
from tests.harness.server import Server

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    pytest.mark.usefixtures("own_spool"),
]


def erase(api_key: ApiKey, run: Run, field: str = "client_id", value: str = "ann") -> dict[str, Any]:
    return erase_events(erasing.EraseOptions(api_key.partner, field, value), run)


@pytest.mark.parametrize("field", erasing.FIELDS)
def test_erase_deletes_that_and_no_more_and_a_retry_stays_away(api_key: ApiKey, new_run: NewRun, field: str) -> None:
    other, _ = factories.key()
    meant = {"client_id": "ann", "session_id": "s1", "event_id": "e1", "tag_id": "t"}
    source = factories.source(api_key)
    first = factories.arrival(source, **meant)
    nobody = factories.arrival(source, client_id="ben", session_id="s2", event_id="e2")
    theirs = factories.arrival(factories.source(other), **meant)
    ingest.write([first, nobody, theirs])
    proof = erase(api_key, new_run(), field, meant[field])
    assert (proof["events"], proof["digests"]) == (1, [store.digest(first.row)])
    assert sorted(map(str, Event.objects.values_list("pk", flat=True))) == sorted([nobody.row.id, theirs.row.id])
    (late,) = ingest.write([factories.arrival(source, **meant)])
    assert (late.outcome, late.id) == ("duplicate", first.row.id)
    assert Event.objects.count() == 2
    again = erase(api_key, new_run(), field, meant[field])
    assert {**again, "finished_at": None} == {**proof, "finished_at": None}


def test_proof_tells_nobody(api_key: ApiKey, new_run: NewRun) -> None:
    events(api_key, "order 1234", client_id="ann@example.com")
    proof = json.dumps(erase(api_key, new_run(), value="ann@example.com"))
    stored = json.dumps([*Erasure.objects.values(), *ErasedEvent.objects.values()], default=str)
    for text in (proof, stored):
        assert "ann" not in text
        assert "1234" not in text


def test_erase_finds_rejections_whatever_their_body(api_key: ApiKey, new_run: NewRun) -> None:
    meant = [
        refuse(api_key, b'{"event_name": "", "client_id": "ann \\u00fc"}'),
        refuse(api_key, b'{"event_name": "", "client_id": "ann \xc3\xbc", cut'),
        refuse(api_key, b'{"events": 5, "client_id": "ann \\u00fc", cut'),
        refuse(api_key, b'{"events": [{"client_id": "ann \\u00fc"}]}'),
        refuse(api_key, b'[{"client_id": "ann \\u00fc"}]'),
        refuse(api_key, b'{"clientId": "ann \\u00fc"}'),
        refuse(api_key, b'{"data": [{"event": {"Client-ID": "ann \\u00fc"}}]}'),
        refuse(api_key, b'{"client_id": "ann \\u00fc", "client_id": "ben"}'),
    ]
    others = [refuse(api_key, b'{"client_id": "ben"}'), refuse(api_key, b"\xff"), refuse(api_key, b"[5]")]
    others.append(refuse(api_key, '{"client_id": "joann üx", cut'.encode()))
    others.append(refuse(factories.key()[0], b'{"client_id": "ann \\u00fc"}'))
    events(api_key, "e", client_id="ann ü")
    events(api_key, "f", client_id="ben")
    conflict = refuse(api_key, b'{"client_id": "ben", "event_id": "e"}')
    Rejection.objects.filter(pk=conflict.pk).update(event=Event.objects.get(event_id="e").pk)
    dry = new_run(dry_run=True)
    assert erase(api_key, dry, value="ann ü") == {}
    assert dry.counts["rejections erased"] == len(meant) + 1
    assert Event.objects.count() == 2
    assert erase(api_key, new_run(), value="ann ü")["rejections"] == len(meant) + 1
    assert sorted(Rejection.objects.values_list("pk", flat=True)) == sorted(one.pk for one in others)


def test_erase_finds_a_value_that_was_refused_for_being_a_number(api_key: ApiKey, new_run: NewRun) -> None:
    meant = refuse(api_key, b'{"event_name": "x", "client_id": 12345}')
    other = refuse(api_key, b'{"event_name": "", "params": {"quantity": 12345}}')
    erase(api_key, new_run(), value="12345")
    assert [one.pk for one in Rejection.objects.all()] == [other.pk] != [meant.pk]


def test_erase_deletes_the_captures_of_the_partner_and_ends_those_that_are_ordered(
    queue: None, new_run: NewRun
) -> None:
    """One of them waits in a worker to be written, and is not; another partner's stay."""
    (mine, raw_key), (other, their_raw_key) = factories.key(), factories.key()
    for key in (mine, other):
        arm(key)
    send(raw_key, gzip.compress(EVENT), **{"Content-Encoding": "gzip"})
    send(their_raw_key)
    assert len(written()) == 2
    send(raw_key)
    dry = new_run(dry_run=True)
    assert erase(mine, dry) == {}
    assert dry.counts["captures erased"] == 1
    assert Capture.objects.count() == 2
    assert erase(mine, new_run())["captures"] == 1
    assert [one.api_key for one in written()] == [other]
    send(raw_key)
    assert [one.api_key for one in written()] == [other]


def test_erase_does_not_wait_for_whoever_sends_on(
    api_key: ApiKey, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    events(api_key, "first", client_id="ann")
    delete, number = erasing._delete, count()

    def send_another(options: EraseOptions, run: Run) -> None:
        delete(options, run)
        events(api_key, f"more {next(number)}", client_id="ann")

    monkeypatch.setattr(erasing, "_delete", send_another)
    assert erase(api_key, new_run())["events"] == erasing._LOOKS
    assert Event.objects.count() == 1


def test_erase_leaves_what_is_spooled_meanwhile_to_the_next_run(
    api_key: ApiKey, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    source = factories.source(api_key)
    first, second = (factories.arrival(source, client_id="ann") for _ in range(2))
    spool.append([first])
    remember = erasing._remember

    def remember_late(erasure: Erasure, rows: Sequence[Row | Event]) -> None:
        remember(erasure, rows)
        if rows and not spool.find(lambda row: row.id == second.row.id):
            spool.append([second])

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "_remember", remember_late)
        assert erase(api_key, new_run())["spooled"] == 1
    assert erase(api_key, new_run())["spooled"] == 2
    assert spool.take(9) == []


def test_erase_reaches_into_the_spool(api_key: ApiKey, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    source = factories.source(api_key)
    meant, other = (factories.arrival(source, client_id=name, params={"secret": name}) for name in ("ann", "ben"))
    spool.append([meant, other])
    proof = erase(api_key, new_run())
    assert (proof["spooled"], proof["events"]) == (1, 1)
    assert [one.arrival[:4] for one in spool.take(9)] == [other[:4]]
    ingest.write([meant])
    assert not Event.objects.exists()


def test_erase_killed_and_run_again_proves_the_same(command: Command) -> None:
    api_key, _ = factories.key(factories.partner("acme"))
    for start in range(0, 12_000, 2000):
        events(api_key, *map(str, range(start, start + 2000)), client_id="ann")
    events(api_key, "other", client_id="ben")
    arguments = ("erase_events", "--partner", "acme", "--client-id", "ann")
    assert command.kill_when(lambda: Event.objects.count() < 11_000, *arguments) == -signal.SIGKILL
    assert 1 < Event.objects.count() < 12_001
    assert Erasure.objects.get().finished_at is None
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == 12_000
    assert left() == ["other"]
    assert command("erase_events", "--partner", "acme").returncode == 2
    assert command("erase_events", "--partner", "acme", "--client-id", " ").returncode == 1
    assert command("erase_events", "--partner", "nobody", "--client-id", "ann").returncode == 1


def test_erase_deletes_nothing_before_each_write_has_ended_that_began_before_it(
    api_key: ApiKey, new_run: NewRun
) -> None:
    """A retry that is being written while the digests are, and does not see them, meets the row that it repeats."""
    events(api_key, "e", client_id="ann")
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":  # SQLite's transaction is a writer's from its start
                cursor.execute("LOCK TABLE collect_event IN ROW EXCLUSIVE MODE")
            done = thread.submit(erase, api_key, new_run())
            with pytest.raises(TimeoutError):
                done.result(1)
            assert left() == ["e"]
        assert done.result(60)["events"] == 1
        thread.submit(connections.close_all).result(10)
    assert left() == []


def test_erase_beside_live_traffic_lets_no_retry_in(command: Command, server: Server) -> None:
    api_key, raw_key = factories.key(factories.partner("acme"))
    events(api_key, *map(str, range(3000)), client_id="ann", tag_id="t")
    process = command.start("erase_events", "--partner", "acme", "--client-id", "ann", stdout=subprocess.DEVNULL)

    def retry(number: int) -> dict[str, Any]:
        return {"event_name": "custom", "event_id": str(number % 3000), "client_id": "ann", "tag_id": "t"}

    assert set(send_beside(process, server, raw_key, retry)) == {"duplicate"}
    assert not Event.objects.exists()
