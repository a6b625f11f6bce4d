"""What can become of an event: one closed set, and how it is counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from collect.intake.source import CHANNEL
from collect.storage.ledger import tally
from collect.storage.ledger.tally import Tally
from keys import directory
from runtime import metrics
from runtime.refusals import Code


class Outcome(StrEnum):
    """What became of an event: exactly one of these."""

    # Told to the sender in `X-Event-Outcome`: the event is durable.
    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    SPOOLED = "spooled"
    # Refused: by the contract or the database; for lack of a durable place; because its key is over its limit.
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    # Acknowledged, but then the database took neither it nor a rejection: it waits for somebody to look into it.
    SET_ASIDE = "set_aside"


DURABLE = (Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.SPOOLED)
# The outcomes of written events that leave a rejection, and its code.
CODES: Mapping[Outcome, str] = {Outcome.CONFLICT: Outcome.CONFLICT, Outcome.REJECTED: Code.INVALID_EVENT}


class Written(NamedTuple):
    """What became of one arrival: `id` is that of the stored row, which for a repetition is the first one.

    `differing` are the fields in which a conflicting event differs from the stored one. `again` is True for a stored
    event if an earlier try had stored this very row. `reason` is what the database said of a row that it refused.
    """

    outcome: Outcome
    id: str
    differing: tuple[str, ...] = ()
    again: bool = False
    reason: str = ""

    @property
    def difference(self) -> str:
        """The conflict in words, for the sender and the operator.

        No field can be named if a dry run compared two events of one file.
        """
        if not self.differing:
            return "Differs from an event before it"
        return f"Differs from the stored event in {', '.join(self.differing)}"

    @property
    def errors(self) -> dict[str, list[str]]:
        """The conflict by field, in the shape of a refusal's errors."""
        return {name: ["differs"] for name in self.differing}


def count(events: Iterable[tuple[Tally, Outcome]]) -> None:
    """Count what became of each event, once, in the ledger and in the metrics."""
    for (counted, outcome), number in Counter(events).items():
        add(counted, outcome, CODES.get(outcome, ""), number)


def add(counted: Tally, outcome: Outcome, code: str, events: int) -> None:
    """Count so many events with the same outcome. `code` says why they were refused, and is empty if they were not."""
    if not events:
        return
    tally.settle(counted, outcome, code, events)
    metric = counted.metrics.get(outcome)
    if metric is None:
        family = metrics.TEST_EVENTS if counted.is_test else metrics.EVENTS
        metric = family.labels(outcome, directory.partner_name(counted.partner_id), CHANNEL)
        counted.metrics[outcome] = metric
    metrics.count(metric, events)
    if code:
        metrics.count(metrics.REJECTIONS.labels(code), events)
