"""Whatever writes, counts, overlaps and dies, in whatever order: the buckets are what GROUP BY of the events says.

And at every moment in between, what readers see is that too, but for what is marked.
"""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.apps import apps
from django.conf import settings as django_settings
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collect.backfills import pruning, walk
from collect.models import Mark
from collect.storage import spool
from collect.storage.marks import QUARTER, beginning
from reporting.rollups import checking, running
from reporting.rollups.running import Rollup
from runtime.periodic import Busy
from tests.harness import databases
from tests.reporting.rollups import oracle
from tests.reporting.rollups.interleaving import crashed, overlapped
from tests.reporting.rollups.oracle import Seen
from tests.reporting.rollups.writers import Change, Draft, Work, Write, work
from tests.reporting.views.events import NOON

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    # A process that dies leaves its cursor open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """A few events are several steps of all that works in steps, and nobody waits."""
    for module, name, value in (
        (walk, "RANGE", 2),
        (walk, "SQLITE_RANGE", 2),
        (walk, "SQLITE_PAUSE_SECONDS", 0.0),
        (pruning, "STEP", 2),
        (pruning, "PAUSE_SECONDS", 0.0),
        (running, "_MARKS", 3),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    settings.TEST_EVENTS_DAYS = 1
    with tempfile.TemporaryDirectory() as directory:
        settings.SPOOL_PATH = str(Path(directory) / "spool.sqlite3")
        yield


@dataclass(frozen=True)
class Wait:
    """Time goes by."""

    pause: timedelta


@dataclass(frozen=True)
class Step:
    """The rollup takes one step, or all that there are to take."""

    takes_all: bool


@dataclass(frozen=True)
class Rebuild:
    """Everything is to be counted anew."""


@dataclass(frozen=True)
class Death:
    """Somebody dies before the `at`-th statement or commit: a writer or, without one, the rollup in a step."""

    work: Work | None
    at: int


@dataclass(frozen=True)
class Overlap:
    """A writer comes to its `at`-th statement or commit, and stands there for as long as it may while others go on."""

    work: Work
    at: int
    stands: timedelta
    # Whether it is the rollup that stands, in a step, and the writer that goes on.
    is_turned: bool


_at = st.integers(0, 20)
_pauses = st.sampled_from([timedelta(seconds=seconds) for seconds in (5, 29, 65, 240, 960, 7_200)])
_stands = st.sampled_from([timedelta(0), timedelta(seconds=25)])
# On SQLite one writes at a time, and nothing can come in between.
_overlaps = st.nothing() if databases.is_sqlite() else st.builds(Overlap, work, _at, _stands, st.booleans())
_events = st.one_of(
    *(work, work, st.builds(Wait, _pauses), st.builds(Step, st.booleans()), st.builds(Step, st.booleans())),
    *(st.builds(Death, st.one_of(st.none(), work), _at), _overlaps),
    st.builds(Rebuild),
)


class World:
    """A server and its commands over time. The clock goes on between what happens, and while somebody stands."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._now = NOON
        self._rollup = Rollup()
        self._found: dict[UUID, Seen] = {}
        self._pruned: dict[UUID, Seen] = {}

    def happen(self, what: Any) -> None:
        match what:
            case Wait(pause):
                self._wait(pause)
            case Step(takes_all):
                self._run() if takes_all else self._rollup.step(self._now)
            case Rebuild():
                running.rebuild()
            case Death(work=None, at=at):
                crashed(lambda: Rollup().step(self._now), at)
            case Death(work, at) if work is not None:
                crashed(work(self._now), at)
            case Overlap(writer, at, stands, is_turned=False):
                overlapped(writer(self._now), at, lambda: self._go_on(writer, stands))
            case Overlap(writer, at) if not getattr(writer, "prunes", False):
                overlapped(lambda: Rollup().step(self._now), at, writer(self._now))
            case Overlap(writer):
                # Whoever prunes waits for the rollup to end its step.
                self._rollup.step(self._now)
                writer(self._now)()
            case _:
                what(self._now)()
        self._look(getattr(what, "work", what))

    def end(self) -> None:
        """Count the rest, also what is ahead of its time, and compare."""
        self._wait(timedelta(days=1))
        self.settle()

    def settle(self) -> None:
        """Count the rest, and compare."""
        for _ in self._rollup.run(self._now):
            pass
        assert not Mark.objects.exists()
        assert oracle.in_cells(pruned=False) == oracle.grouped(self._found.values())
        assert oracle.in_cells(pruned=True) == oracle.grouped(self._pruned.values())
        assert oracle.in_summaries() == oracle.summed(self._found.values(), self._pruned.values())
        assert not checking.check(8).differences

    def pass_a_border(self) -> None:
        """Wait until a quarter-hour began ten seconds ago: only what is of another one than `until` can be lost."""
        self._wait(beginning(self._now) + 2 * QUARTER + timedelta(seconds=10) - self._now)

    def _wait(self, pause: timedelta) -> None:
        self._now += pause
        self._clock.move_to(self._now)

    def _run(self, work: object = None) -> None:
        for _ in self._rollup.run(self._now):
            self._look(work)

    def _go_on(self, work: Work, stands: timedelta) -> None:
        self._look(work)
        self._wait(stands)
        # Whoever prunes has the right to count until that is done.
        with suppress(Busy):
            self._run(work)

    def _look(self, work: object) -> None:
        """Look at the events, and at what readers see. What a prune deletes is remembered as it was before."""
        found = oracle.events()
        if getattr(work, "prunes", False):
            self._pruned |= {id: one for id, one in self._found.items() if id not in found}
        self._found = found
        oracle.assert_readers_see(found, self._pruned)


def _forget_all() -> None:
    """Empty all tables but those of partners and keys."""
    with transaction.atomic():
        for label in ("collect", "reporting"):
            for model in apps.get_app_config(label).get_models():
                if model._meta.managed:
                    model._base_manager.all()._raw_delete(connection.alias)
    connections["spool"].close()
    for path in Path(django_settings.SPOOL_PATH).parent.glob("spool.sqlite3*"):
        path.unlink()
    spool.prepare()


def check(examples: int, size: int) -> None:
    """Let so many stories happen, each of up to `size` events."""

    # To make a story smaller would take minutes, and it is small enough to be read.
    @settings(max_examples=examples, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(story=st.lists(_events, min_size=size // 2, max_size=size))
    def tell(story: list[Any]) -> None:
        _forget_all()
        with time_machine.travel(NOON, tick=False) as clock:
            world = World(clock)
            for one in story:
                world.happen(one)
            world.end()

    tell()


_OLD = [
    Draft(partner, timedelta(hours=hours), client=client, has_derived_tag=True, agent="curl/8.4.0")
    for partner, hours, client in (("acme", 30, "ann"), ("acme", 3, "bob"), ("globex", 2, "ann"))
]
# Just not of the past: what the rollup leaves writers is all that it has.
_LIVE = [Draft("acme", timedelta(seconds=29.5), client="ann")]
_STANDS = timedelta(seconds=25)
_WORKS = [
    Write("network", _LIVE),
    *(Write(road, _OLD) for road in ("spool", "import", "replay")),
    *(Change(command, "acme", "ann", 0) for command in ("erase", "prune", "reenrich", "derive")),
]


@pytest.mark.parametrize("work", _WORKS, ids=lambda work: getattr(work, "road", None) or work.command)
def test_buckets_are_exact_wherever_a_writer_dies_or_is_overtaken(work: Work) -> None:
    _forget_all()
    deaths = [Death(work, at) for at in range(8)]
    overlaps = [] if databases.is_sqlite() else [Overlap(work, at, _STANDS, is_turned=False) for at in range(8)]
    with time_machine.travel(NOON, tick=False) as clock:
        world = World(clock)
        for what in (*deaths, *overlaps, work):
            world.happen(Write("import", _OLD))
            world.settle()
            world.pass_a_border()
            world.happen(what)
            world.happen(Step(takes_all=True))
            world.happen(Wait(timedelta(minutes=2)))
            # Before whoever goes on for the dead could mend it.
            world.settle()


def test_buckets_are_exact_after_any_order_of_writers_steps_and_crashes() -> None:
    check(6, 26)


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_buckets_are_exact_after_many_orders_of_writers_steps_and_crashes() -> None:
    check(500, 60)
