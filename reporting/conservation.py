"""Is nothing missing? What came in is held against what became of it, and what was stored against the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Sum

from collect.models import Event, LedgerEntry, LedgerGap, Machine
from collect.storage.ledger.tally import ERASED, PRUNED, Endpoint
from collect.storage.ledger.writing import FOLDED
from collect.storage.outcomes import Outcome
from keys.models import Partner
from reporting import traffic
from reporting.ranges import Range
from reporting.traffic import OUTCOMES, Whose

# How long after a minute its counts are written by all processes: their period, a statement, and a commit.
SETTLED = timedelta(seconds=15)
# A machine that has not described itself for this long may have counts that it could not write.
SILENT = timedelta(seconds=60)
# The most rows that a page counts, which takes a fraction of a second.
MAX_ROWS = 200_000

# What adds rows and what takes them away, in the order of the equation.
_ROWS = (
    ("stored at once", (*traffic.INCOMING,), Outcome.STORED, 1),
    ("from the spool", (Endpoint.DRAIN,), Outcome.STORED, 1),
    ("imported", (Endpoint.IMPORT,), Outcome.STORED, 1),
    ("replayed", (Endpoint.REPLAY,), Outcome.STORED, 1),
    ("pruned", (Endpoint.PRUNE,), PRUNED, -1),
    ("erased", (Endpoint.ERASE,), ERASED, -1),
)


@dataclass(frozen=True, slots=True)
class Term:
    """A number of an equation and its name. A negative one is taken away."""

    name: str
    events: int


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that were received in a range, as the table has them, and why there are so many."""

    over: Range
    counted: int
    terms: Sequence[Term]

    @property
    def difference(self) -> int:
        """Rows that nothing explains; negative for rows that are missing."""
        return self.counted - sum(term.events for term in self.terms)


@dataclass(frozen=True, slots=True)
class Conservation:
    """What came in and what became of it, in that part of a range whose counts are settled.

    `gaps` are processes that were killed: at most so many events of theirs are in no number. `silent` are machines that
    may have counts that they could not write.
    """

    over: Range
    received: int
    terms: Sequence[Term]
    rows: Rows | None
    gaps: Sequence[LedgerGap]
    silent: Sequence[Machine]

    @property
    def difference(self) -> int:
        """Events that came in and have no outcome."""
        return self.received - sum(term.events for term in self.terms)

    @property
    def unknown(self) -> int:
        """The most events that a killed process may have taken out of the numbers."""
        return sum(gap.events for gap in self.gaps)

    @property
    def is_whole(self) -> bool:
        """Whether every event is accounted for."""
        return not self.difference and not (self.rows and self.rows.difference)

    @property
    def is_explained(self) -> bool:
        """Whether a difference is no larger than what is known to be unknown."""
        differences = abs(self.difference) + abs(self.rows.difference if self.rows else 0)
        return bool(self.silent) or differences <= self.unknown


def of(asked: Range, whose: Whose, now: datetime | None = None) -> Conservation:
    """Return the equation of a range. The rows of its newest part are counted, if no single key is meant."""
    now = now or datetime.now(UTC)
    over = settled(asked, now)
    found = traffic.totals(over, whose)
    terms = [Term(name.replace("_", " "), found.outcomes[name]) for name in OUTCOMES]
    gaps = LedgerGap.objects.filter(start__lt=over.end, end__gt=over.start).order_by("-end")
    running = Machine.objects.filter(stopped_at__isnull=True)
    silent = running.filter(reported_at__lt=now - SILENT, reported_at__gte=over.start).order_by("name")
    rows = _rows(over, whose, now) if whose.api_key is None else None
    return Conservation(over, found.received, terms, rows, list(gaps[:100]), list(silent[:100]))


def settled(asked: Range, now: datetime) -> Range:
    """Return the part of the range whose counts all processes have written: whole minutes, and of old ones whole hours.

    Where the range begins within an hour that is only known as a whole, all of the hour is looked at.
    """
    end = min(asked.end, (now - SETTLED).replace(second=0, microsecond=0))
    return Range(min(_known(asked.start, now), end), _known(end, now))


def _known(moment: datetime, now: datetime) -> datetime:
    minute = 0 if moment < now - FOLDED else moment.minute
    return moment.replace(minute=minute, second=0, microsecond=0)


def _rows(over: Range, whose: Whose, now: datetime) -> Rows | None:
    counted = _countable(over, whose, now)
    if counted.start >= counted.end:
        return None
    sums = traffic.entries(counted, Whose(whose.partner, is_test=None)).values_list("endpoint", "outcome")
    events = {(endpoint, outcome): number for endpoint, outcome, number in sums.annotate(Sum("events"))}
    terms = [
        Term(name, sign * sum(events.get((endpoint, outcome), 0) for endpoint in endpoints))
        for name, endpoints, outcome, sign in _ROWS
    ]
    return Rows(counted, _count(counted, whose.partner), terms)


def _count(over: Range, partner: int | None) -> int:
    # By partner and time, because that is the order of an index.
    partners = [partner] if partner is not None else list(Partner.objects.values_list("pk", flat=True))
    return Event.objects.filter(partner__in=partners, received_at__gte=over.start, received_at__lt=over.end).count()


def _countable(over: Range, whose: Whose, now: datetime) -> Range:
    """Return the newest part of the range that has at most `MAX_ROWS` rows, and at least one minute or hour."""
    # What is older than the ledger is in no number of it.
    over = Range(max(over.start, min(earliest() or over.end, over.end)), over.end)
    entries = traffic.entries(over, Whose(whose.partner, is_test=None)).filter(outcome=Outcome.STORED)
    newest_first = entries.values_list("start").annotate(number=Sum("events")).order_by("-start")
    start = over.end
    rows = 0
    for at, number in newest_first:
        rows += number
        if rows > MAX_ROWS and start < over.end:
            return Range(start, over.end)
        start = at
    # Nothing was stored before; but what was stored without being counted would be seen.
    return Range(over.start if rows <= MAX_ROWS else start, over.end)


def earliest() -> datetime | None:
    """Return since when the ledger counts; None if it has counted nothing."""
    first = LedgerEntry.objects.order_by("start").values_list("start", flat=True).first()
    return first
