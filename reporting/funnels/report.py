"""The report `funnel`: the figures of each step, and everything that is in none of them as a line of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from reporting.funnels import actors, attempts
from reporting.funnels.attempts import Attempt
from reporting.funnels.plan import Plan, in_words, plan_of
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import Question

COLUMNS = (
    Column("step", Kind.TEXT, "The number of the step."),
    Column("events", Kind.TEXT, "The names of the events that are this step; one of them is enough."),
    Column("actors", Kind.COUNT, "Actors who reached the step."),
    Column("share_of_first", Kind.SHARE, "Of the actors of step 1, the part that reached this step."),
    Column("share_of_previous", Kind.SHARE, "Of the actors of the step before, the part that reached this step."),
    Column("lost_after", Kind.COUNT, "Actors who reached this step and not the next one."),
    Column("median_seconds_from_first", Kind.COUNT, "Median time from step 1, in whole seconds."),
    Column("median_seconds_from_previous", Kind.COUNT, "Median time from the step before, in whole seconds."),
    Column("after_range_end", Kind.COUNT, "Of these actors, those who reached the step after the range's end."),
    Column("no_actor_events", Kind.COUNT, "Events of the step without client_id and session_id: in no other figure."),
)
APART = (
    Column("what", Kind.TEXT, "What is in none of the figures of the steps, or may still change them."),
    Column("number", Kind.COUNT, "How many there are."),
)


@dataclass(slots=True)
class _StepTally:
    actors: int = 0
    after_end: int = 0
    # How many actors took so many whole seconds: at most an entry for each second of the window.
    from_first: Counter[int] = field(default_factory=Counter)
    from_previous: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class _Tally:
    """What is known of all actors that were looked at."""

    plan: Plan
    now: datetime
    steps: list[_StepTally]
    names: set[str] = field(default_factory=set)
    open: int = 0
    not_begun: int = 0
    repeats: int = 0

    def add(self, seen: Sequence[tuple[datetime, str]]) -> None:
        self.names.update(name for _, name in seen)
        attempt = attempts.best(seen, self.plan)
        if attempt.latest_start is None:
            self.not_begun += any(moment < self.plan.over.end for moment, _ in seen)
            return
        for step, moment, before in zip(self.steps, attempt.reached, attempt.before, strict=False):
            step.actors += 1
            step.after_end += moment >= self.plan.over.end
            step.from_first[_seconds(moment - attempt.reached[0])] += 1
            step.from_previous[_seconds(moment - before)] += 1
        self.open += self._is_open(attempt, attempt.latest_start)

    def _is_open(self, attempt: Attempt, latest_start: datetime) -> bool:
        """Tell whether the actor may still come further: steps are left, and the latest window is not over."""
        return len(attempt.reached) < len(self.steps) and self.now - latest_start < self.plan.window


def funnel(question: Question, now: datetime | None = None) -> Answer:
    """Return how many actors came from step to step. Raises `BadQuestion` for steps or a window that are none.

    `now` decides alone which windows are over.
    """
    plan = plan_of(question)
    tally = _Tally(plan, now or datetime.now(UTC), [_StepTally() for _ in plan.steps])
    for seen, repeats in actors.actors(plan, question):
        tally.add(seen)
        tally.repeats += repeats
    nobodys = actors.without_actor(plan, question)
    steps = Table("steps", "Steps", COLUMNS, _rows(tally, nobodys), (_DURATIONS,))
    apart = Table("apart", "In none of the steps' figures, or still to come", APART, _apart(tally))
    words = [in_words(step) for step in plan.steps]
    notes = [
        f"No event of the time that was searched is named {name}."
        for name in sorted(plan.names - tally.names - set(nobodys))
    ]
    return Answer("funnel", f"Funnel: {' → '.join(words)}", _stated(question, tally), (steps, apart), (*notes, *_NOTES))


_DURATIONS = "Times are rounded down to whole seconds; of an even number of actors the lower middle one is the median."
_NOTES = (
    "An event that the same actor has twice, under one name and event_id, counts once, the first received: a report "
    "under two tags changes nothing. With another client_id, or none, it is another actor's.",
)


def _stated(question: Question, tally: _Tally) -> dict[str, str]:
    plan = tally.plan
    over_at = plan.searched_until
    ends = f"{over_at.astimezone(question.zone):%Y-%m-%d %H:%M}"
    still = f"no: the last may be open until {ends}; actors who may still come further: {tally.open}"
    return {
        **question.stated(),
        "steps": " → ".join(in_words(step) for step in plan.steps),
        "range applies to": "step 1; later steps may lie after the range's end, within the window",
        "window": f"{_length(plan.window)} from step 1: a step counts if it comes less than this after step 1",
        "windows are over": "yes" if over_at <= tally.now else still,
        "order": "each step at the time of the one before it or later, by an event of its own; others may lie between",
        "actor": "client_id, else session_id, of one partner",
        "counted": "each actor once, by the attempt that came furthest, of these the first",
        "share of first": "denominator: the actors of step 1",
        "share of previous": "denominator: the actors of the step before",
    }


def _rows(tally: _Tally, nobodys: dict[str, tuple[int, int]]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    first = tally.steps[0].actors
    for index, (step, names) in enumerate(zip(tally.steps, tally.plan.steps, strict=True)):
        before = tally.steps[index - 1] if index else None
        later = tally.steps[index + 1] if index + 1 < len(tally.steps) else None
        rows.append(
            [
                str(index + 1),
                in_words(names),
                step.actors,
                _share(step.actors, first),
                _share(step.actors, before.actors) if before else None,
                step.actors - later.actors if later else None,
                _median(step.from_first) if before else None,
                _median(step.from_previous) if before else None,
                step.after_end,
                sum(nobodys[name][1 if index else 0] for name in names & nobodys.keys()),
            ]
        )
    return rows


def _apart(tally: _Tally) -> list[list[Any]]:
    return [
        ["actors with an event of a later step in the range, and without step 1 in it", tally.not_begun],
        ["actors who may still come further: their last window is not over", tally.open],
        ["events that an actor has a second time under the same name and event_id", tally.repeats],
    ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _median(seconds: Counter[int]) -> int | None:
    """Return the median; of an even number the lower one of the two in the middle. None of nothing."""
    left = (seconds.total() + 1) // 2
    for value in sorted(seconds):
        left -= seconds[value]
        if left <= 0:
            return value
    return None


def _seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)


def _length(window: timedelta) -> str:
    """Return the window in words: `7 days`, `90 minutes`."""
    seconds = _seconds(window)
    unit, word = next(unit for unit in _UNITS if seconds % unit[0] == 0)
    return f"{seconds // unit} {word}{'' if seconds == unit else 's'}"


_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
