"""Mends: what a preview says is what the replay does, however it is interrupted, and a second one stores nothing."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from django.db import DataError, OperationalError, connection

from collect.mending import mends
from collect.mending import step as steps
from collect.mending.operations import Rename, Set
from collect.models import Event, Foreseen, LedgerEntry, Mend, Rejection
from collect.storage import store
from collect.storage.outcomes import Written
from collect.storage.rows import Arrival
from keys.models import ApiKey
from tests.collect.backfills.runs import Command
from tests.collect.mending.incidents import OPERATIONS, POISON, bodies, finish, incident, operator, previewed, refuse
from tests.harness import databases, factories
from tests.harness.server import ROOT, serve
from tests.harness.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SIZE", 7)


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that refuses some rows for their values, and all that are in one statement with them."""
    write = store.write

    def refusing(arrivals: Sequence[Arrival]) -> list[Written]:
        written = write(arrivals)
        if any(arrival.row.event_name == POISON for arrival in arrivals):
            raise DataError("cannot keep this")
        return written

    monkeypatch.setattr(store, "write", refusing)


@pytest.fixture
def api_key() -> ApiKey:
    return factories.key()[0]


@pytest.fixture
def command() -> Iterator[Command]:
    with closing(Command()) as command:
        yield command


def now(mend: Mend) -> Mend:
    mend.refresh_from_db()
    return mend


def counted() -> int:
    """The events that replays stored, by the ledger."""
    rows = LedgerEntry.objects.filter(endpoint="replay", outcome="stored", api_key__isnull=False, code="")
    return sum(rows.values_list("events", flat=True))


def events() -> set[str]:
    return {str(id) for id in Event.objects.values_list("pk", flat=True)}


@pytest.mark.usefixtures("small_steps", "poisoned")
@pytest.mark.parametrize("seed", range(20))
def test_preview_has_the_numbers_of_the_replay_and_a_second_one_stores_nothing(seed: int) -> None:
    group = incident(seed)
    before = events()
    preview = previewed(group)
    assert events() == before
    assert not Foreseen.objects.exists()
    assert counted() == 0
    replay = finish(mends.replay(preview, operator()))
    assert (replay.counts, replay.reasons) == (preview.counts, preview.reasons)
    assert (replay.total, replay.done) == (preview.total, preview.done)
    assert sum(replay.counts.values()) == replay.total == group.rejections.count()
    became = group.rejections.filter(replayed_at__isnull=False).values_list("replayed_as", flat=True)
    assert len(events() - before) == replay.counts["stored"] > 0
    assert events() - before <= set(map(str, became))
    assert len(became) == replay.counts["stored"] + replay.counts.get("duplicate", 0)
    assert counted() == replay.counts["stored"]
    again = finish(mends.replay(previewed(group), operator()))
    assert "stored" not in again.counts
    assert sum(again.counts.values()) == replay.total
    assert counted() == replay.counts["stored"]


def test_incidents_have_all_that_can_happen(small_steps: None, poisoned: None) -> None:
    """Or else the test above would say less than it seems to."""
    seen = set()
    for seed in range(8):
        seen |= previewed(incident(seed)).counts.keys()
    refused = {f"still refused: {code}" for code in ("invalid_event", "invalid_json", "conflict", "tag_not_allowed")}
    assert seen >= {"stored", "duplicate", "replayed before", "left: the body was kept in part only", *refused}


@pytest.mark.usefixtures("small_steps")
def test_what_earlier_steps_would_store_is_known_to_later_ones(api_key: ApiKey) -> None:
    bodies = [b'{"event": "a", "event_id": "%d"}' % (number % 10) for number in range(40)]
    preview = previewed(refuse(api_key, *bodies, b'{"event": "b", "event_id": "3"}'), [Rename("event", "event_name")])
    assert preview.counts == {"stored": 10, "duplicate": 30, "still refused: conflict": 1}
    assert preview.reasons == {"Differs from the stored event in event_name": 1}


def test_replay_takes_what_was_previewed_and_nothing_newer(api_key: ApiKey) -> None:
    group = refuse(api_key, b'{"event": "a"}')
    preview = previewed(group)
    assert refuse(api_key, b'{"event": "b"}') == group
    replay = mends.replay(preview, operator())
    assert mends.replay(preview, operator()) == replay
    assert finish(replay).counts == {"stored": 1}
    assert Event.objects.get().event_name == "a"
    with pytest.raises(ValueError, match="only a preview that is done"):
        mends.replay(replay, operator())
    with pytest.raises(ValueError, match="only a preview that is done"):
        mends.replay(mends.preview([], operator(), group=group), operator())


def test_single_rejections_can_be_chosen(api_key: ApiKey) -> None:
    refuse(api_key, b'{"event": "a"}', b'{"event": "b"}', b'{"event": "c"}')
    first, _, third = Rejection.objects.order_by("pk").values_list("pk", flat=True)
    preview = finish(mends.preview(OPERATIONS, operator(), rejections=[third, first]))
    assert preview.counts == {"stored": 2}
    Rejection.objects.filter(pk=first).delete()
    replay = finish(mends.replay(preview, operator()))
    assert replay.counts == {"stored": 1}
    with pytest.raises(ValueError, match="at most"):
        mends.preview([], operator(), rejections=range(mends.MAX_CHOSEN + 1))


@pytest.mark.usefixtures("small_steps")
def test_what_is_pruned_meanwhile_is_counted(api_key: ApiKey) -> None:
    group = refuse(api_key, *[b'{"event": "a"}'] * 20)
    replay = mends.replay(previewed(group), operator())
    for _ in range(2):
        mends.advance(replay.pk)
    Rejection.objects.filter(pk__in=list(group.rejections.order_by("-pk").values_list("pk", flat=True)[:5])).delete()
    assert finish(replay).counts == {"stored": 15, "pruned or erased meanwhile": 5}
    assert replay.done == replay.total == 20


@pytest.mark.usefixtures("small_steps")
def test_cancel_ends_it_after_a_step(api_key: ApiKey) -> None:
    group = refuse(api_key, *[b'{"event": "a"}'] * 20)
    preview = previewed(group)
    replay = mends.replay(preview, operator())
    for _ in range(3):  # it is begun, and takes two steps
        assert mends.advance(replay.pk)
    assert mends.cancel(replay)
    assert not mends.advance(replay.pk)
    assert not mends.cancel(replay)
    replay.refresh_from_db()
    assert (replay.state, replay.done, Event.objects.count()) == (Mend.State.CANCELLED, 14, 14)
    assert previewed(group).counts == {"replayed before": 14, "stored": 6}
    waiting = mends.preview(OPERATIONS, operator(), group=group)
    for _ in range(3):
        mends.advance(waiting.pk)
    assert mends.cancel(waiting)
    assert not mends.open_mends()
    assert not Foreseen.objects.exists()


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("kind", [Mend.Kind.PREVIEW, Mend.Kind.REPLAY])
def test_two_runners_at_once_do_each_step_once(kind: str) -> None:
    group = incident(7)
    expected = previewed(group)
    mend = mends.preview(OPERATIONS, operator(), group=group)
    if kind == Mend.Kind.REPLAY:
        mend = mends.replay(expected, operator())
    before, together = events(), threading.Barrier(2, timeout=30)
    failures: list[Exception] = []

    def run() -> None:
        together.wait()
        try:
            while mends.advance(mend.pk):
                pass
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    mend.refresh_from_db()
    assert (mend.state, mend.done, mend.counts) == (Mend.State.DONE, expected.total, expected.counts)
    assert len(events() - before) == (expected.counts["stored"] if kind == Mend.Kind.REPLAY else 0)


# A process that works until it is killed.
_WORKER = """
import django
django.setup()
from collect.backfills import walk
from collect.mending import step, runner
step.SIZE = 7
runner.PAUSE_SECONDS = walk.SQLITE_PAUSE_SECONDS = 0
runner.Runner().work()
"""


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("kind", [Mend.Kind.PREVIEW, Mend.Kind.REPLAY])
def test_killed_at_any_moment_the_numbers_stay_right(kind: str, command: Command, api_key: ApiKey) -> None:
    chance = random.Random(1)
    group = refuse(api_key, *bodies(chance, 300))
    expected = previewed(group)
    mend = mends.preview(OPERATIONS, operator(), group=group)
    if kind == Mend.Kind.REPLAY:
        mend = mends.replay(expected, operator())
    for _ in range(3):
        environment = command.environment | {"DJANGO_SETTINGS_MODULE": "thrad_events.settings"}
        process = subprocess.Popen([sys.executable, "-c", _WORKER], cwd=ROOT, env=environment)
        done = mend.done
        assert eventually(lambda: now(mend).done > done or not mend.is_open, 60)  # noqa: B023  # within this round
        time.sleep(chance.random() / 50)
        process.kill()
        process.wait(30)
    finish(mend)
    assert (mend.counts, mend.reasons, mend.done) == (expected.counts, expected.reasons, expected.total)
    assert Event.objects.count() == (expected.counts["stored"] if kind == Mend.Kind.REPLAY else 0)


def test_worker_of_the_server_does_it(api_key: ApiKey, tmp_path: Path) -> None:
    mend = mends.preview([Rename("event", "event_name")], operator(), group=refuse(api_key, b'{"event": "a"}'))
    # In a directory of its own: this process, or another, may hold the right to mend in that of the tests.
    with serve(databases.current_url(), VAR_DIR=str(tmp_path)):
        assert eventually(lambda: not now(mend).is_open, 60)
    assert (mend.state, mend.counts) == (Mend.State.DONE, {"stored": 1})


def test_error_of_the_database_is_not_the_mends_fault(api_key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    preview = mends.preview(OPERATIONS, operator(), group=refuse(api_key, b'{"event": "a"}'))

    def away(_arrivals: Sequence[Arrival]) -> list[Written]:
        raise OperationalError("server closed the connection unexpectedly")

    assert mends.advance(preview.pk)
    with monkeypatch.context() as patched:
        patched.setattr(store, "write", away)
        with pytest.raises(OperationalError):
            mends.advance(preview.pk)
    assert finish(preview).counts == {"stored": 1}


def test_mend_that_cannot_be_done_fails_alone(api_key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    group = refuse(api_key, b'{"event": "a"}')
    broken = mends.preview([Set("event_name", b"1")], operator(), group=group)  # type: ignore[arg-type]  # bytes will do
    Mend.objects.filter(pk=broken.pk).update(operations="nonsense")
    while mends.advance(broken.pk):
        pass
    broken.refresh_from_db()
    assert (broken.state, broken.fault) == (Mend.State.FAILED, mends.INTERNAL)
    assert previewed(group).counts == {"stored": 1}
