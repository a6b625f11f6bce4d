"""What can become of an event: one closed set, and how it is counted."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from keys import directory
from runtime import metrics


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


# What an event is counted by: is it a test, the partner's id, the channel, and what became of it. A plain tuple,
# since a batch makes one for each of its events.
Counted = tuple[bool, int, str, Outcome]


def count(events: Iterable[Counted]) -> None:
    """Count each event once, by what became of it. Events of test keys are counted apart."""
    count_many(Counter(events))


def count_many(events: Counter[Counted]) -> None:
    """Count many events at a time, from the number of each kind."""
    for (is_test, partner_id, channel, outcome), number in events.items():
        counted = metrics.TEST_EVENTS if is_test else metrics.EVENTS
        counted.labels(outcome, directory.partner_name(partner_id), channel).inc(number)
