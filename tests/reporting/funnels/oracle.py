"""What a funnel means, said again without any cleverness: every way to give the steps events is tried."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from reporting.funnels.plan import Plan

Seen = tuple[datetime, str]


@dataclass(frozen=True)
class Line:
    """The figures of a step."""

    actors: int
    after_end: int
    from_first: list[int]
    from_previous: list[int]


def ways(seen: Sequence[Seen], plan: Plan) -> Iterator[tuple[datetime, ...]]:
    """Every way to give events to step 1, to the first two, and so on: the moments of the steps."""
    for place, (moment, name) in enumerate(seen):
        if name in plan.steps[0] and plan.over.start <= moment < plan.over.end:
            yield from _longer(seen, plan, [place])


def _longer(seen: Sequence[Seen], plan: Plan, used: list[int]) -> Iterator[tuple[datetime, ...]]:
    moments = tuple(seen[place][0] for place in used)
    yield moments
    if len(used) == len(plan.steps):
        return
    for place, (moment, name) in enumerate(seen):
        is_in_window = moments[-1] <= moment < moments[0] + plan.window
        if place not in used and name in plan.steps[len(used)] and is_in_window:
            yield from _longer(seen, plan, [*used, place])


def best(seen: Sequence[Seen], plan: Plan) -> list[datetime]:
    """The moments of the attempt that counts; empty where there is none."""
    found = list(ways(seen, plan))
    furthest = max(map(len, found), default=0)
    start = min((one[0] for one in found if len(one) == furthest), default=None)
    chosen = [one for one in found if len(one) == furthest and one[0] == start]
    return [min(moments) for moments in zip(*chosen, strict=True)]


def lines(actors: Sequence[Sequence[Seen]], plan: Plan) -> list[Line]:
    """The figures of the steps, of the events of each actor."""
    attempts = [best(seen, plan) for seen in actors]
    found = []
    for step in range(len(plan.steps)):
        reached = [one for one in attempts if len(one) > step]
        found.append(
            Line(
                actors=len(reached),
                after_end=sum(one[step] >= plan.over.end for one in reached),
                from_first=sorted(int((one[step] - one[0]).total_seconds()) for one in reached),
                from_previous=sorted(int((one[step] - one[max(step - 1, 0)]).total_seconds()) for one in reached),
            )
        )
    return found
