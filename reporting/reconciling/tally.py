"""Counts verdicts, and keeps the first few of each kind to show: memory does not grow with the file."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reporting.reconciling.classes import OfLine, OfStored
from reporting.reconciling.comparison import Verdict

DOUBLED = (OfLine.DOUBLED_EQUAL, OfLine.DOUBLED_DIFFERENT)
# The kinds that have a table of their own, and the verdicts that are in it.
KINDS: Mapping[str, Callable[[Verdict], bool]] = {
    "missing": lambda verdict: verdict.of is OfLine.MISSING,
    "different": lambda verdict: verdict.of is OfLine.DIFFERENT,
    "doubled": lambda verdict: verdict.of in DOUBLED,
    "unreadable": lambda verdict: verdict.of is OfLine.UNREADABLE,
    "only_here": lambda verdict: verdict.of is OfStored.ONLY_HERE,
    "without_id": lambda verdict: verdict.of is OfStored.WITHOUT_ID,
    "stored_again": lambda verdict: _is_again(verdict) and verdict.counted == 1,
    "counted_again": lambda verdict: _is_again(verdict) and verdict.counted > 1,
}
# Stored more than once and counted once is as it should be.
_AS_IT_SHOULD_BE = {"stored_again"}


def _is_again(verdict: Verdict) -> bool:
    return verdict.speaks_for_id and verdict.here is not None and verdict.here.rows > 1


@dataclass(slots=True)
class Sums:
    """Amounts of one class in one currency, in ten-thousandths."""

    in_file: int = 0
    here: int = 0


@dataclass(slots=True)
class Tally:
    """What was found, with at most `shown` verdicts of each kind."""

    shown: int
    lines: Counter[OfLine] = field(default_factory=Counter)
    of_kind: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Verdict]] = field(default_factory=lambda: defaultdict(list))
    sums: dict[tuple[str, str], Sums] = field(default_factory=lambda: defaultdict(Sums))
    # Ids of readable lines that are stored, and the events under ids: of lines, and of no line.
    ids_in_both: int = 0
    events_in_both: int = 0
    events_only_here: int = 0
    # Lines that say different things of an id that is not stored.
    undecided: int = 0
    # Missing lines without a time.
    missing_without_time: int = 0

    def add(self, verdict: Verdict) -> None:
        """Count a verdict."""
        if isinstance(verdict.of, OfLine):
            self.lines[verdict.of] += 1
        for kind, is_of in KINDS.items():
            if is_of(verdict):
                self.of_kind[kind] += 1
                if len(self.examples[kind]) < self.shown:
                    self.examples[kind].append(verdict)
        self._count_events(verdict)
        self._sum_up(verdict)
        self.undecided += verdict.of is OfLine.DOUBLED_DIFFERENT and verdict.here is None
        self.missing_without_time += (
            verdict.of is OfLine.MISSING and verdict.line is not None and verdict.line.at is None
        )

    def _count_events(self, verdict: Verdict) -> None:
        if verdict.here is None or not verdict.speaks_for_id:
            return
        if verdict.of is OfStored.ONLY_HERE:
            self.events_only_here += verdict.here.rows
        else:
            self.ids_in_both += 1
            self.events_in_both += verdict.here.rows

    def _sum_up(self, verdict: Verdict) -> None:
        """Add the amounts of a verdict to those of its class. What is doubled is not: it would count twice."""
        if verdict.of in DOUBLED:
            return
        if verdict.line is not None and verdict.line.money.amount is not None:
            self.sums[verdict.of, verdict.line.money.currency or ""].in_file += verdict.line.money.amount
        if verdict.here is not None and verdict.here.money.amount is not None:
            self.sums[verdict.of, verdict.here.money.currency or ""].here += verdict.here.money.amount

    @property
    def all_lines(self) -> int:
        """How many lines the file has."""
        return self.lines.total()

    @property
    def agrees(self) -> bool:
        """Whether the file and what is stored say the same, and each id counts once."""
        return not any(number for kind, number in self.of_kind.items() if kind not in _AS_IT_SHOULD_BE)
