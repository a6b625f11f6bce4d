"""What a funnel is asked: its steps and its window, read from words. What cannot be read is refused, never guessed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reporting.ranges import Range
from reporting.reports.question import BadQuestion, Question

MOST_STEPS = 20
LONGEST_WINDOW = timedelta(days=366)
DEFAULT_WINDOW = "7d"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WINDOW = re.compile(r"(\d{1,8})([smhdw])\Z", re.ASCII)
# A mark that divides, or a backslash and the mark that it keeps from dividing.
_MARK = re.compile(r"\\([\\,|])|([,|])")
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in their order, each the names of events of which one is enough; and when they have to happen.

    Step 1 lies in `over`, the others less than `window` after step 1.
    """

    steps: Sequence[frozenset[str]]
    window: timedelta
    over: Range

    @property
    def names(self) -> frozenset[str]:
        """The names of all steps."""
        return frozenset[str]().union(*self.steps)

    @property
    def later_names(self) -> frozenset[str]:
        """The names of all steps but the first."""
        return frozenset[str]().union(*self.steps[1:])

    @property
    def searched_until(self) -> datetime:
        """When the last window ends: no event at or after this moment counts."""
        return min(self.over.end, _LATEST - self.window) + self.window


def plan_of(question: Question) -> Plan:
    """Return the plan that a question asks for. Raises `BadQuestion` for steps or options that are none."""
    if unknown := sorted(set(question.options) - {"window"}):
        raise BadQuestion(f"{unknown[0]}: a funnel has no such option; it has window")
    return Plan(_steps(question.arguments), _window(question.options.get("window", DEFAULT_WINDOW)), question.over)


def in_words(step: frozenset[str]) -> str:
    """Return the names of a step as one text: `lead_created | trial_started`."""
    return " | ".join(sorted(step))


def _steps(arguments: Sequence[str]) -> list[frozenset[str]]:
    found = [step for text in arguments for step in _divided(text)]
    if not 1 < len(found) <= MOST_STEPS:
        raise BadQuestion(f"steps: 2 to {MOST_STEPS}, as contents_viewed,items_added,order_created; not {len(found)}")
    for number, step in enumerate(found, 1):
        if "" in step:
            raise BadQuestion(f"step {number} has no name; a comma or | that belongs to a name is written \\, or \\|")
    return found


def _divided(text: str) -> list[frozenset[str]]:
    """Return the steps in a text: commas divide steps, | divides the names of one, a backslash keeps from dividing."""
    steps, name, place = [[""]], "", 0
    for mark in _MARK.finditer(text):
        name += text[place : mark.start()] + (mark[1] or "")
        place = mark.end()
        steps[-1][-1] = name
        if mark[2]:
            name = ""
            steps += [[""]] if mark[2] == "," else []
            steps[-1] += [""] if mark[2] == "|" else []
    steps[-1][-1] = name + text[place:]
    return [frozenset(name.strip() for name in step) for step in steps]


def _window(text: str) -> timedelta:
    match = _WINDOW.match(text.strip())
    found = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta(0)
    if not timedelta(0) < found <= LONGEST_WINDOW:
        raise BadQuestion(f"window: {text!r} is none; write 30m, 12h, 7d or 4w, at most {LONGEST_WINDOW.days}d")
    return found
