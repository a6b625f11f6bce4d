"""What came in and what became of it, from the ledger: the events themselves are too many to be counted."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum

from collect.models import LedgerEntry
from collect.storage.ledger.tally import RECEIVED, TURNED_AWAY, Endpoint
from collect.storage.outcomes import Outcome
from reporting.ranges import Range

# Where senders' requests come in; the other endpoints move what came in earlier, or remove it.
INCOMING = (Endpoint.COLLECT, Endpoint.BATCH)
# What can become of an event that comes in, in the order in which pages show it.
OUTCOMES = (
    Outcome.STORED,
    Outcome.DUPLICATE,
    Outcome.CONFLICT,
    Outcome.SPOOLED,
    Outcome.REJECTED,
    Outcome.RATE_LIMITED,
    Outcome.UNAVAILABLE,
)
# The steps that a chart can have: at most some hundred bars are drawn.
_STEPS = tuple(timedelta(minutes=number) for number in (1, 5, 15, 60, 180, 720, 1440, 7 * 1440, 30 * 1440))
_BARS = 100


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose traffic is looked at: of one partner or key, or of all (None); of live keys, test keys, or both (None)."""

    partner: int | None = None
    api_key: int | None = None
    is_test: bool | None = False

    def of(self, entries: "QuerySet[LedgerEntry]") -> "QuerySet[LedgerEntry]":
        """Return the entries that are meant."""
        wanted = {"partner": self.partner, "api_key": self.api_key, "is_test": self.is_test}
        return entries.filter(**{name: value for name, value in wanted.items() if value is not None})


EVERYBODY = Whose()


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a range. `outcomes` has every outcome, with 0 where there was none."""

    received: int = 0
    requests: int = 0
    bytes: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    # Requests that never became events, by why: `not_found`, `revoked` and so on.
    turned_away: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused_share(self) -> float:
        """The part of what came in that was refused, from 0 to 1."""
        return self.outcomes.get(Outcome.REJECTED, 0) / self.received if self.received else 0.0


def entries(over: Range, whose: Whose = EVERYBODY) -> "QuerySet[LedgerEntry]":
    """Return the entries of the range. An hour that lies in it in part counts where it begins."""
    return whose.of(LedgerEntry.objects.filter(start__gte=over.start, start__lt=over.end))


def totals(over: Range, whose: Whose = EVERYBODY) -> Totals:
    """Return the sums of what senders sent in the range."""
    sums = (
        entries(over, whose)
        .values_list("endpoint", "outcome", "code")
        .annotate(Sum("events"), Sum("requests"), Sum("bytes"))
    )
    received = requests = size = 0
    outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
    turned_away: dict[str, int] = defaultdict(int)
    for endpoint, outcome, code, events, asked, length in sums:
        if outcome == TURNED_AWAY:
            turned_away[code] += asked
        elif endpoint not in INCOMING:
            continue
        elif outcome == RECEIVED:
            received, requests, size = received + events, requests + asked, size + length
        else:
            outcomes[outcome] = outcomes.get(outcome, 0) + events
    return Totals(received, requests, size, outcomes, dict(turned_away))


def by(name: str, over: Range, whose: Whose = EVERYBODY) -> dict[Any, Totals]:
    """Return the totals for each value of a column: `partner` or `api_key` (ids), `endpoint`, `is_test`."""
    incoming = entries(over, whose).filter(endpoint__in=INCOMING, outcome__in=(RECEIVED, *OUTCOMES))
    sums = incoming.values_list(name, "outcome")
    found: dict[Any, dict[str, int]] = defaultdict(dict)
    requests: dict[Any, tuple[int, int]] = {}
    for value, outcome, events, asked, size in sums.annotate(Sum("events"), Sum("requests"), Sum("bytes")):
        found[value][outcome] = events
        if outcome == RECEIVED:
            requests[value] = asked, size
    return {
        value: Totals(of.pop(RECEIVED, 0), *requests.get(value, (0, 0)), dict.fromkeys(OUTCOMES, 0) | of)
        for value, of in found.items()
    }


def causes(over: Range, whose: Whose = EVERYBODY) -> list[tuple[str, int]]:
    """Return the codes of what was rejected, with the number of events, most first."""
    rejected = entries(over, whose).filter(outcome=Outcome.REJECTED, endpoint__in=INCOMING)
    sums = rejected.values_list("code").annotate(number=Sum("events")).order_by("-number", "code")
    return [(code, number) for code, number in sums]


@dataclass(frozen=True, slots=True)
class Point:
    """A step of a series: what came to each outcome in it."""

    over: Range
    outcomes: Mapping[str, int]


def step_of(over: Range) -> timedelta:
    """Return the step with which a chart of this range has at most a hundred bars."""
    return next((step for step in _STEPS if over.length / step <= _BARS), _STEPS[-1])


def series(over: Range, whose: Whose = EVERYBODY, step: timedelta | None = None) -> list[Point]:
    """Return what became of events, step by step, without gaps. What is older than two days is known by the hour."""
    step = step or step_of(over)
    sums = entries(over, whose).filter(endpoint__in=INCOMING, outcome__in=OUTCOMES)
    steps: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    first = datetime.fromtimestamp(over.start.timestamp() // step.total_seconds() * step.total_seconds(), UTC)
    for start, outcome, events in sums.values_list("start", "outcome").annotate(Sum("events")):
        steps[int((start - first) // step)][outcome] += events
    number = -int((first - over.end) // step)
    return [Point(Range(first + step * n, first + step * (n + 1)), dict(steps.get(n, {}))) for n in range(number)]


def partners_of(totals_by_partner: Mapping[int, Totals]) -> Sequence[int]:
    """Return the partners' ids, the one that sent most first."""
    return sorted(totals_by_partner, key=lambda partner: (-totals_by_partner[partner].received, partner))
