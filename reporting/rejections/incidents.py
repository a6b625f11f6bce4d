"""Since when, and by which builds of the sender, events are refused for one cause, against the builds that are spared.

Nothing here asks a database. `groups` gives what is known of each build.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reporting.rejections import bursts
from reporting.rejections.bursts import Burst, Point

# Of a build that was faulty from the first at least so much of what it sent was refused.
_FAULTY = 0.5
# What begins within this time begins together; how far around an onset single rejections are looked at.
_TOGETHER, AROUND = timedelta(minutes=5), timedelta(minutes=2)
# What is rarer by this factor than the main burst is no part of it.
_TRICKLE = 10.0

Moments = Callable[[str, datetime, datetime], Sequence[datetime]]


@dataclass(frozen=True, slots=True)
class SeenBuild:
    """A build of a key: when its requests were first and last seen, how many, and what was refused for one cause."""

    name: str
    first_seen: datetime
    last_seen: datetime
    requests: int
    points: Sequence[Point] = ()

    def refused(self, start: datetime) -> int:
        """Return how many were refused from the minute of `start` on."""
        return sum(point.count for point in self.points if point.end > start)

    @property
    def is_born_faulty(self) -> bool:
        """Whether most of what it ever sent was refused: a change of rate is then one of its traffic, not of its code.

        It may have been tried on a few machines first.
        """
        return self.refused(self.first_seen) >= _FAULTY * self.requests


@dataclass(frozen=True, slots=True)
class Share:
    """How many of an incident's rejections a build sent."""

    build: str
    count: int


@dataclass(frozen=True, slots=True)
class Incident:
    """The present burst of a group.

    `culprits` began it; `steady` builds were refused before as they are now; `spared` ones sent since the onset, and
    nothing of theirs was refused; `gone` ones sent nothing since.
    """

    onset: datetime
    culprits: Sequence[Share]
    steady: Sequence[Share]
    spared: Sequence[str]
    gone: Sequence[str]


def incident(builds: Sequence[SeenBuild], moments: Moments) -> Incident | None:
    """Return the present incident, None if nothing was refused.

    `moments` returns when single rejections of a build between two moments came in, as far as they were kept.
    """
    refused = {build.name: build for build in builds if build.points}
    if not refused:
        return None
    found = {name: _burst(build) for name, build in refused.items()}
    main = max(_recent(list(refused.values())), key=lambda name: found[name].weight)
    begun = {name for name, burst in found.items() if _is_of(burst, found[main])} | {main}
    exact = {name: _exact(name, found[name], moments) for name in begun}
    onset = min(burst.onset for burst in exact.values())
    shares = sorted((Share(name, build.refused(onset)) for name, build in refused.items()), key=lambda one: -one.count)
    spared = [build for build in builds if build.name not in begun and not build.refused(onset)]
    return Incident(
        onset=onset,
        culprits=[Share(one.build, exact[one.build].count) for one in shares if one.build in begun],
        steady=[one for one in shares if one.build not in begun and one.count],
        spared=[build.name for build in spared if build.last_seen >= onset],
        gone=[build.name for build in spared if build.last_seen < onset],
    )


def _is_of(burst: Burst, main: Burst) -> bool:
    """Tell whether a burst is a part of the main one: it began with it or later, and is no trickle beside it."""
    return burst.onset >= main.onset - _TOGETHER and burst.weight * _TRICKLE >= main.weight


def _recent(refused: Sequence[SeenBuild]) -> list[str]:
    """Return the builds that are still refused, or were when the last rejection came."""
    last = max(build.points[-1].end for build in refused)
    return [build.name for build in refused if build.points[-1].end >= last - 3 * _TOGETHER]


def _burst(build: SeenBuild) -> Burst:
    return bursts.since_birth(build.points) if build.is_born_faulty else bursts.present(build.points)


def _exact(name: str, burst: Burst, moments: Moments) -> Burst:
    """Return the burst with the onset among single rejections, where others came right before it."""
    if not burst.rate_before:
        return burst
    found = moments(name, burst.onset - AROUND, burst.onset + AROUND)
    onset = bursts.refine(found, burst)
    # The burst's count is that of whole minutes.
    early = sum(burst.onset <= moment < onset for moment in found)
    late = sum(onset <= moment < burst.onset for moment in found)
    return replace(burst, onset=onset, count=burst.count - early + late)
