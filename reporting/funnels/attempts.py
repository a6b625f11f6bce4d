"""How far one actor came: a pure function over the actor's events. Nothing but their names and times decides.

Events of one moment have no order that anybody meant: those of a batch come in together, and their ids are random. So
a step may lie at the same moment as the one before it, if each of the two has an event of its own.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reporting.funnels.plan import Plan

Step = frozenset[str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The attempt of an actor that counts: when each step that it reached was reached; empty without step 1."""

    reached: Sequence[datetime] = ()
    # When the latest attempt began, which may be another one.
    latest_start: datetime | None = None

    @property
    def before(self) -> Sequence[datetime]:
        """For each step that was reached, when the one before it was: for step 1 that step itself."""
        return [*self.reached[:1], *self.reached[:-1]]


def best(seen: Iterable[tuple[datetime, str]], plan: Plan) -> Attempt:
    """Return the attempt that came furthest; of those that came equally far, the one that began first.

    An attempt begins with an event of step 1 in the range. Each later step is at the earliest moment that can be.
    """
    actor = _Actor(seen, plan)
    starts = actor.starts()
    furthest: list[datetime] = []
    for start in starts:
        reached = actor.reached_from(start)
        if len(reached) > len(furthest):
            furthest = reached
        if len(furthest) == len(plan.steps):
            break
    return Attempt(furthest, starts[-1]) if starts else Attempt()


class _Actor:
    """The moments of one actor, by step, and how often each name is at a moment."""

    def __init__(self, seen: Iterable[tuple[datetime, str]], plan: Plan) -> None:
        self._plan = plan
        self._at: dict[datetime, Counter[str]] = defaultdict(Counter)
        for moment, name in seen:
            self._at[moment][name] += 1
        moments = sorted(self._at)
        self._of_step = [[one for one in moments if not step.isdisjoint(self._at[one])] for step in plan.steps]

    def starts(self) -> list[datetime]:
        """Return the moments of step 1 that are in the range."""
        first = self._of_step[0]
        return first[bisect_left(first, self._plan.over.start) : bisect_left(first, self._plan.over.end)]

    def reached_from(self, start: datetime) -> list[datetime]:
        """Return when each step is reached by the attempt that begins at `start`, as far as it comes."""
        reached, together = [start], [self._plan.steps[0]]
        for index, step in enumerate(self._plan.steps[1:], 1):
            moment = self._next(index, reached[-1], together)
            if moment is None or moment - start >= self._plan.window:
                break
            together = [*together, step] if moment == reached[-1] else [step]
            reached.append(moment)
        return reached

    def _next(self, index: int, now: datetime, together: Sequence[Step]) -> datetime | None:
        """Return the earliest moment of a step, from `now` on, where the steps `together` have an event each."""
        moments = self._of_step[index]
        place = bisect_left(moments, now)
        if place < len(moments) and moments[place] == now:
            if have_own([*together, self._plan.steps[index]], self._at[now]):
                return now
            place = bisect_right(moments, now)
        return moments[place] if place < len(moments) else None


def have_own(steps: Sequence[Step], events: Mapping[str, int]) -> bool:
    """Tell whether each step can have an event of its own, of so many events by name.

    This is a matching in a bipartite graph, found by augmenting paths: a step takes an event from another that can
    have another one instead.
    """
    holders: dict[str, list[Step]] = defaultdict(list)
    return all(_place(step, events, holders, set()) for step in steps)


def _place(step: Step, events: Mapping[str, int], holders: dict[str, list[Step]], tried: set[str]) -> bool:
    for name in step - tried:
        tried.add(name)
        held = holders[name]
        if len(held) < events.get(name, 0):
            held.append(step)
            return True
        for place, other in enumerate(held):
            if _place(other, events, holders, tried):
                held[place] = step
                return True
    return False
