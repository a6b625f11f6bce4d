"""Sends kept rejections through the contract again, mended; each becomes an event once and never twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import Error, transaction

from collect.backfills.mending import rejections
from collect.backfills.run import Run
from collect.backfills.selection import Selection
from collect.backfills.walk import making_way
from collect.mending import step as steps
from collect.mending.operations import Operation
from collect.mending.step import Fate, Judge, Judged, Remembered
from runtime import failures

# How many refusals are printed one by one, so that a person knows what to mend next.
TOLD = 10
# How often a step is tried that the database rolls back for the sake of another transaction.
_TRIES = 3
_SETTLED = (steps.STORED, steps.DUPLICATE, steps.EARLIER, steps.GONE)


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Which rejections to replay, and how to mend them: by operations, and by whole bodies by rejection id."""

    codes: Sequence[str] = ()
    ids: Sequence[int] = ()
    operations: Sequence[Operation] = ()
    bodies: Mapping[int, bytes] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)


def replay_rejections(options: ReplayOptions, run: Run) -> int:
    """Replay the selected rejections in the order in which they came; return how many are still refused or were left.

    Raises `BackfillError` for an id that is not selected, and `Stopped` as `Run.advance` does.
    """
    found = rejections(options.codes, {*options.ids, *options.bodies}, options.selection).select_related("api_key")
    ids = list(found.values_list("pk", flat=True))
    work = _Work(Judge(options.operations, options.bodies), run)
    run.begin(0.0)
    for start in range(0, len(ids), steps.SIZE):
        work.settle([work.judge(rejection) for rejection in found.filter(pk__in=ids[start : start + steps.SIZE])])
        done = min(start + steps.SIZE, len(ids))
        run.advance(done, done / len(ids))
    return sum(number for what, number in run.counts.items() if what not in _SETTLED)


class _Work:
    """One replay or, if the run is dry, its preview."""

    def __init__(self, judge: Judge, run: Run) -> None:
        self.judge = judge
        self._run = run
        self._firsts = Remembered()
        self._told = 0

    def settle(self, step: Sequence[Judged]) -> None:
        """Replay the step, count what became of it, and tell the first reasons. Raises `django.db.Error`."""
        with making_way():
            fates = self._fates(step)
        for judged, fate in zip(step, fates, strict=True):
            self._run.counts[fate.what] += 1
            if fate.why and self._told < TOLD:
                self._told += 1
                event = f": {fate.event}" if fate.event else ""
                self._run.tell(f"rejection {judged.rejection}: {fate.why}{event}")

    def _fates(self, step: Sequence[Judged]) -> list[Fate]:
        for _ in range(_TRIES - 1):
            try:
                return self._once(step)
            except Error as error:
                if not failures.is_rolled_back(error):
                    raise
        return self._once(step)

    @transaction.atomic
    def _once(self, step: Sequence[Judged]) -> list[Fate]:
        if self._run.dry_run:
            return steps.preview(step, self.judge, self._firsts)
        return steps.replay(step)
