"""`prune_events`, `erase_events` and `replay_rejections`: what goes stays away, what is mended comes in once."""

import json
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db import DataError, connection, connections, transaction
from django.utils import timezone

from collect.backfills import erasing, replaying
from collect.backfills.erasing import erase_events
from collect.backfills.pruning import EVENTS, KEY_HISTORY, REJECTIONS, TEST_EVENTS, PruneOptions, prune_events
from collect.backfills.replaying import ReplayOptions, read_bodies, replay_rejections
from collect.backfills.run import BackfillError
from collect.models import ErasedEvent, Erasure, Event, Rejection, RejectionTally
from collect.storage import ingest, spool, store
from keys.models import KeyChange
from runtime.refusals import Code, Refusal
from tests.collect.backfills.conftest import send_beside
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])

OLD = timedelta(days=500)
YEAR_AGO = timedelta(days=365)


@pytest.fixture(autouse=True)
def place(tmp_path, settings):
    """An empty spool."""
    settings.SPOOL_PATH = str(tmp_path / "spool.sqlite3")
    yield
    with connections["spool"].cursor() as cursor:
        cursor.execute("DELETE FROM spooled")
        cursor.execute("DELETE FROM set_aside")


@pytest.fixture
def api_key():
    return factories.key(factories.partner("acme"))[0]


def events(api_key, *ids, age=timedelta(0), **fields):
    source = factories.source(api_key, received_at=datetime.now(UTC) - age)
    ingest.write([factories.arrival(source, event_id=id, **fields) for id in ids])


def refuse(api_key, body, age=timedelta(0), **fields):
    """A rejection of these bytes, as the endpoint keeps it."""
    source = factories.source(api_key, received_at=datetime.now(UTC) - age, **fields)
    refusal = Refusal(Code.INVALID_EVENT, "event_name: required", errors={"event_name": ["required"]})
    factories.reject(refusal, source, body, request_id="request-1")
    return Rejection.objects.latest("pk")


def left():
    return sorted(Event.objects.values_list("event_id", flat=True))


def kept(run):
    return dict(+run.counts)


# --- prune -----------------------------------------------------------------------------------------


def prune(run, *kinds, partner=None):
    prune_events(PruneOptions(datetime.now(UTC) - YEAR_AGO, kinds, partner), run)
    return kept(run)


def test_prune_deletes_old_events_of_the_kind_and_partner(api_key, new_run):
    other, _ = factories.key()
    test, _ = factories.key(is_test=True)
    for key in (api_key, other, test):
        events(key, f"old {key.pk}", age=OLD)
        events(key, f"new {key.pk}")
    assert prune(new_run(dry_run=True), EVENTS) == {"events deleted": 3}
    assert Event.objects.count() == 6
    assert prune(new_run(), TEST_EVENTS) == {"test events deleted": 1}
    assert prune(new_run(), EVENTS, partner=api_key.partner) == {"events deleted": 1}
    assert left() == sorted([f"new {api_key.pk}", f"new {other.pk}", f"old {other.pk}", f"new {test.pk}"])
    assert prune(new_run(), EVENTS) == {"events deleted": 1}
    assert prune(new_run(), EVENTS) == {}


def test_prune_deletes_old_rejections_and_their_hours(api_key, new_run):
    refuse(api_key, b"{}", age=OLD)
    refuse(api_key, b"{}")
    assert prune(new_run(), REJECTIONS) == {"rejections deleted": 1, "hours of rejections deleted": 1}
    assert (Rejection.objects.count(), RejectionTally.objects.count()) == (1, 1)


def test_prune_deletes_old_history_and_nothing_else_can(api_key, new_run):
    old = KeyChange.objects.create(key=api_key, what="changed", by_name="x", at=timezone.now() - OLD)
    expired = KeyChange.objects.create(key=api_key, what="expired", by_name="server", at=timezone.now() - OLD)
    assert prune(new_run(dry_run=True), KEY_HISTORY) == {"key history deleted": 1}
    assert prune(new_run(), KEY_HISTORY) == {"key history deleted": 1}
    assert not KeyChange.objects.filter(pk=old.pk).exists()
    assert KeyChange.objects.filter(pk=expired.pk).exists(), "it would be written down again"
    assert KeyChange.objects.filter(key=api_key).count() == 2
    with pytest.raises(TypeError):
        KeyChange.objects.filter(key=api_key).delete()


def test_prune_killed_and_run_again_beside_live_traffic(command, server):
    api_key, raw_key = factories.key()
    for start in range(0, 12_000, 2000):
        events(api_key, *map(str, range(start, start + 2000)), age=OLD)
    status = command.kill_when(lambda: Event.objects.count() < 11_000, "prune_events", "--older-than", "400d")
    assert status == -signal.SIGKILL
    assert 0 < Event.objects.count() < 12_000
    process = command.start("prune_events", "--older-than", "400d")
    sent = send_beside(process, server, raw_key).total()
    assert Event.objects.count() == sent > 0
    assert command("prune_events", "--older-than", "0").returncode == 1
    assert command("prune_events", "--older-than", "a year").returncode == 2
    assert command("prune_events").returncode == 2


# --- erase -----------------------------------------------------------------------------------------


def erase(api_key, run, field="client_id", value="ann"):
    return erase_events(erasing.EraseOptions(api_key.partner, field, value), run)


@pytest.mark.parametrize("field", erasing.FIELDS)
def test_erase_deletes_that_and_no_more_and_a_retry_stays_away(api_key, new_run, field):
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


def test_proof_tells_nobody(api_key, new_run):
    events(api_key, "order 1234", client_id="ann@example.com")
    proof = json.dumps(erase(api_key, new_run(), value="ann@example.com"))
    stored = json.dumps([*Erasure.objects.values(), *ErasedEvent.objects.values()], default=str)
    for text in (proof, stored):
        assert "ann" not in text
        assert "1234" not in text


def test_erase_finds_rejections_whatever_their_body(api_key, new_run):
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


def test_erase_finds_a_value_that_was_refused_for_being_a_number(api_key, new_run):
    meant = refuse(api_key, b'{"event_name": "x", "client_id": 12345}')
    other = refuse(api_key, b'{"event_name": "", "params": {"quantity": 12345}}')
    erase(api_key, new_run(), value="12345")
    assert [one.pk for one in Rejection.objects.all()] == [other.pk] != [meant.pk]


def test_erase_does_not_wait_for_whoever_sends_on(api_key, new_run, monkeypatch):
    events(api_key, "first", client_id="ann")
    delete, number = erasing._delete, count()

    def send_another(options, run):
        delete(options, run)
        events(api_key, f"more {next(number)}", client_id="ann")

    monkeypatch.setattr(erasing, "_delete", send_another)
    assert erase(api_key, new_run())["events"] == erasing._LOOKS
    assert Event.objects.count() == 1


def test_erase_leaves_what_is_spooled_meanwhile_to_the_next_run(api_key, new_run, monkeypatch):
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    source = factories.source(api_key)
    first, second = (factories.arrival(source, client_id="ann") for _ in range(2))
    spool.append([first])
    remember = erasing._remember

    def remember_late(erasure, rows):
        remember(erasure, rows)
        if rows and not spool.find(lambda row: row.id == second.row.id):
            spool.append([second])

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "_remember", remember_late)
        assert erase(api_key, new_run())["spooled"] == 1
    assert erase(api_key, new_run())["spooled"] == 2
    assert spool.take(9) == []


def test_erase_reaches_into_the_spool(api_key, new_run, monkeypatch):
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    source = factories.source(api_key)
    meant, other = (factories.arrival(source, client_id=name, params={"secret": name}) for name in ("ann", "ben"))
    spool.append([meant, other])
    proof = erase(api_key, new_run())
    assert (proof["spooled"], proof["events"]) == (1, 1)
    assert [one.arrival for one in spool.take(9)] == [other]
    ingest.write([meant])
    assert not Event.objects.exists()


def test_erase_killed_and_run_again_proves_the_same(command):
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


def test_erase_deletes_nothing_before_each_write_has_ended_that_began_before_it(api_key, new_run):
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


def test_erase_beside_live_traffic_lets_no_retry_in(command, server):
    api_key, raw_key = factories.key(factories.partner("acme"))
    events(api_key, *map(str, range(3000)), client_id="ann", tag_id="t")
    process = command.start("erase_events", "--partner", "acme", "--client-id", "ann", stdout=subprocess.DEVNULL)

    def retry(number):
        return {"event_name": "custom", "event_id": str(number % 3000), "client_id": "ann", "tag_id": "t"}

    assert set(send_beside(process, server, raw_key, retry)) == {"duplicate"}
    assert not Event.objects.exists()


# --- replay ----------------------------------------------------------------------------------------


def replay(run, **options):
    replay_rejections(ReplayOptions(**options), run)
    return kept(run)


def test_replay_after_a_mend_gives_the_event_that_it_would_have_been(api_key, new_run):
    rejection = refuse(api_key, b'{"event": "order_created", "event_id": "e", "params": {"a": 1.50}}', age=OLD)
    assert replay(new_run()) == {"still refused: invalid_event": 1}
    assert replay(new_run(dry_run=True), rename={"event": "event_name"}) == {"replayed": 1}
    assert not Event.objects.exists()
    assert replay(new_run(), rename={"event": "event_name"}, set={"tag_id": "t"}) == {"replayed": 1}
    event = Event.objects.get()
    assert (event.event_name, event.tag_id, event.event_id) == ("order_created", "t", "e")
    assert (event.received_at, event.api_key, event.ip_address) == (rejection.received_at, api_key, "127.0.0.1")
    rejection.refresh_from_db()
    assert rejection.replayed_as == event.pk
    assert rejection.replayed_at is not None


def test_replay_never_twice(api_key, new_run):
    refuse(api_key, b"{}")
    for expected in ("replayed", "replayed before"):
        assert replay(new_run(), set={"event_name": "custom"}) == {expected: 1}
    Rejection.objects.update(replayed_as=None)  # as if it had been killed before it was linked
    assert replay(new_run(), set={"event_name": "custom"}) == {"replayed": 1}
    assert Event.objects.count() == 1


def test_replay_passes_over_what_is_erased_meanwhile(api_key, new_run, monkeypatch):
    refuse(api_key, b"{}")
    monkeypatch.setattr(store, "_document", lambda arrivals: pytest.fail("it was written"))
    monkeypatch.setattr(replaying, "_arrival", lambda *_arguments: Rejection.objects.all().delete())
    assert replay(new_run(), set={"event_name": "custom"}) == {"pruned or erased meanwhile": 1}


def test_replay_selects_and_reads_mended_bodies(api_key, new_run, tmp_path):
    first, second, third = (refuse(api_key, body) for body in (b"not json", b"{}", b"[1"))
    Rejection.objects.filter(pk=second.pk).update(code="too_large")
    assert replay(new_run(), codes=["too_large"], set={"event_name": "x"}) == {"replayed": 1}
    path = tmp_path / "mended.ndjson"
    path.write_text(json.dumps({"rejection": first.pk, "event": {"event_name": "mended"}}) + "\n")
    assert replay(new_run(), bodies=read_bodies(str(path))) == {"replayed": 1}
    assert replay(new_run(), ids=[third.pk], set={"event_name": "x"}) == {"still refused: invalid_json": 1}
    assert sorted(Event.objects.values_list("event_name", flat=True)) == ["mended", "x"]
    with pytest.raises(BackfillError, match="No such rejection"):
        replay(new_run(), ids=[third.pk + 1])
    path.write_text('{"rejection": "x"}\n')
    with pytest.raises(BackfillError, match=r"mended.ndjson:1: "):
        read_bodies(str(path))


def test_replay_keeps_to_the_rules(api_key, new_run):
    events(api_key, "e", params={"a": 1})
    refuse(api_key, b'{"event_name": "custom", "event_id": "e", "params": {"a": 2}}')
    big = refuse(api_key, b'{"event_name": "custom", "params": {"a": "' + b"a" * 70_000 + b'"}}')
    api_key.tags = ["only"]
    api_key.save()
    counts = replay(new_run(), set={"tag_id": "other"})
    assert counts == {"still refused: tag_not_allowed": 1, "left: the body was kept in part only": 1}
    api_key.tags = []
    api_key.save()
    for run in (new_run(dry_run=True), new_run()):
        assert replay(run)["still refused: conflict"] == 1
    assert replay(new_run(), set={"event_id": "f"})["replayed"] == 1
    big.refresh_from_db()
    assert big.replayed_as is None
    assert Rejection.objects.count() == 2


def test_replay_of_what_the_database_refuses_is_told(api_key, new_run, monkeypatch):
    def refuse_it(_arrivals):
        raise DataError("cannot keep this")

    refuse(api_key, b'{"event_name": "custom"}')
    with monkeypatch.context() as patched:
        patched.setattr(store, "write", refuse_it)
        assert replay(new_run()) == {"still refused: invalid_event": 1}
    assert replay(new_run()) == {"replayed": 1}


def test_replay_killed_and_run_again_beside_live_traffic(command, server):
    api_key, raw_key = factories.key(factories.partner("acme"))
    for _ in range(800):
        refuse(api_key, b"{}")
    arguments = ("replay_rejections", "--partner", "acme", "--set", "event_name=custom")
    assert command.kill_when(lambda: Event.objects.count() > 50, *arguments) == -signal.SIGKILL
    assert 50 < Event.objects.count() < 800
    process = command.start(*arguments)
    sent = send_beside(process, server, raw_key).total()
    assert Event.objects.count() == 800 + sent
    assert set(Rejection.objects.values_list("replayed_as", flat=True)) == set(
        Event.objects.filter(event_name="custom").values_list("pk", flat=True)
    )
    assert "800 replayed before" in command(*arguments).stderr
    refuse(api_key, b"{}")
    assert command("replay_rejections").returncode == 3
    assert command("replay_rejections", "--set", "x").returncode == 2
