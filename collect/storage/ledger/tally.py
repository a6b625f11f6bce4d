"""Counts, in memory, what came in to this process and what became of it, minute by minute and key by key.

What came in is counted where a request arrives, and what became of it where that is decided. An event that was lost
between the two is therefore seen as a difference.
"""

from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from prometheus_client import Counter as Metric

# Three numbers of 64 bits.
NUMBERS_BYTES = 24
MINUTE = timedelta(minutes=1)


class Endpoint(StrEnum):
    """Where events came in, or what moved or removed them."""

    COLLECT = "collect"
    BATCH = "batch"
    VALIDATE = "validate"
    OTHER = "other"
    DRAIN = "drain"
    IMPORT = "import"
    REPLAY = "replay"
    PRUNE = "prune"
    ERASE = "erase"


# What the ledger counts besides the outcomes of events: those that came in, requests that never became events, and rows
# that were removed.
RECEIVED, TURNED_AWAY, PRUNED, ERASED = "received", "turned_away", "pruned", "erased"


class Entry(NamedTuple):
    """What a number of the ledger is about. `start` and `minutes` say when the server received the events."""

    start: datetime
    partner_id: int
    api_key_id: int | None
    is_test: bool
    endpoint: str
    outcome: str
    code: str = ""
    minutes: int = 1


class Amount(NamedTuple):
    """The numbers of an entry."""

    events: int = 0
    requests: int = 0
    bytes: int = 0

    def plus(self, other: "Amount") -> "Amount":
        """Return the sum."""
        return Amount(self.events + other.events, self.requests + other.requests, self.bytes + other.bytes)


class Sender(Protocol):
    """Who sends: a `Source`."""

    @property
    def partner_id(self) -> int:
        """The partner."""

    @property
    def api_key_id(self) -> int | None:
        """The key."""

    @property
    def is_test(self) -> bool:
        """Whether it is a test key."""

    @property
    def received_at(self) -> datetime:
        """When the request came in."""


class Tally:
    """What came in with one key at one endpoint in one minute. Its numbers only grow.

    Requests carry it along, so that what becomes of their events is counted for the minute in which they came.
    """

    __slots__ = (
        "_told",
        "api_key_id",
        "bytes",
        "end",
        "endpoint",
        "events",
        "is_test",
        "metrics",
        "partner_id",
        "requests",
        "start",
    )

    def __init__(self, sender: Sender, endpoint: Endpoint) -> None:
        """Begin at zero, in the minute of this request."""
        self.start = sender.received_at.replace(second=0, microsecond=0)
        self.end = self.start + MINUTE
        self.partner_id = sender.partner_id
        self.api_key_id = sender.api_key_id
        self.is_test = sender.is_test
        self.endpoint = endpoint
        self.events = self.requests = self.bytes = 0
        # The metric of each outcome, which `outcomes` finds once a minute and not once a group.
        self.metrics: dict[str, Metric] = {}
        self._told = Amount()

    def entry(self, outcome: str, code: str = "") -> Entry:
        """Return the entry of the ledger for an outcome of these events."""
        return Entry(self.start, self.partner_id, self.api_key_id, self.is_test, self.endpoint, outcome, code)

    def news(self) -> Amount:
        """Return what came in since the last call."""
        now, told = Amount(self.events, self.requests, self.bytes), self._told
        self._told = now
        return Amount(now.events - told.events, now.requests - told.requests, now.bytes - told.bytes)


class Counts:
    """The counts of this process that no batch has taken yet.

    Requests are counted in the worker's one thread, in which nothing waits. Outcomes may come from any thread.
    """

    def __init__(self) -> None:
        # The running minute of each key and endpoint, and all tallies that may still have news.
        self._running: dict[tuple[int, int | None, bool, Endpoint], Tally] = {}
        self._begun: deque[Tally] = deque()
        self._outcomes: deque[tuple[Tally, str, str, int]] = deque()
        # Events that came in, those whose outcome is written down, and when that was: `lives` keeps them in a file.
        self.numbers = memoryview(bytearray(NUMBERS_BYTES)).cast("q")

    def receive(self, sender: Sender, endpoint: Endpoint, events: int, size: int) -> Tally:
        """Count a request with so many events and bytes; return the tally that its events carry along."""
        tally = self._tally(sender, endpoint)
        self.numbers[0] += events
        tally.events += events
        tally.requests += 1
        tally.bytes += size
        return tally

    def _tally(self, sender: Sender, endpoint: Endpoint) -> Tally:
        # Of an import many partners have no key, and a file may have test events among the live ones.
        whose = sender.partner_id, sender.api_key_id, sender.is_test, endpoint
        tally = self._running.get(whose)
        if tally is None or not tally.start <= sender.received_at < tally.end:
            tally = self._running[whose] = Tally(sender, endpoint)
            self._begun.append(tally)
        return tally

    def settle(self, tally: Tally, outcome: str, code: str, events: int) -> None:
        """Count what became of so many events of a tally."""
        self._outcomes.append((tally, outcome, code, events))

    def move(self, sender: Sender, endpoint: Endpoint, outcome: str, code: str = "") -> None:
        """Count what became of an event that had come in earlier."""
        self.numbers[0] += 1
        self.settle(self._tally(sender, endpoint), outcome, code, 1)

    def turn_away(self, sender: Sender, endpoint: Endpoint, code: str) -> None:
        """Count a request that named a known key and never became events."""
        self._outcomes.append((self._tally(sender, endpoint), TURNED_AWAY, code, 1))

    def take(self) -> Iterator[tuple[Entry, Amount]]:
        """Yield what was counted since the last call. An entry may come more than once."""
        # With SQLite this runs in another thread than the requests. What they begin from here on waits for the next
        # call, and the dict is copied.
        begun = len(self._begun)
        running = {id(tally) for tally in self._running.copy().values()}
        for _ in range(begun):
            tally = self._begun.popleft()
            if any(news := tally.news()):
                yield tally.entry(RECEIVED), news
            if id(tally) in running:
                self._begun.append(tally)
        # Added up before entries are made of them: there are as many as groups and refusals.
        sums: Counter[tuple[Tally, str, str]] = Counter()
        for _ in range(len(self._outcomes)):
            tally, outcome, code, number = self._outcomes.popleft()
            sums[tally, outcome, code] += number
        for (tally, outcome, code), number in sums.items():
            yield tally.entry(outcome, code), Amount(0, number) if outcome == TURNED_AWAY else Amount(number)


# The counts of this process. Callers use them through this module, as in `tally.receive(…)`.
shared = Counts()
receive = shared.receive
settle = shared.settle
move = shared.move
turn_away = shared.turn_away
