"""What can become of an event: one closed set, and the counting of it."""

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
    # Refused: by the contract or by the database; for want of a durable place; over the limit of its key.
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    # Acknowledged, and then refused by the database and by the rejections: it waits for somebody to look into it.
    SET_ASIDE = "set_aside"


DURABLE = (Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.SPOOLED)


class Written(NamedTuple):
    """What became of one arrival: `id` is the stored row's, the first one's for a repetition.

    `differing` are the fields in which a conflicting event differs from the stored one. `again` says of a stored one
    that an earlier try had stored this very row.
    """

    outcome: Outcome
    id: str
    differing: tuple[str, ...] = ()
    again: bool = False

    @property
    def difference(self) -> str:
        """What a conflict is, in words for the sender and the operator.

        Nothing differs that could be named where a dry run compared two events of one file.
        """
        if not self.differing:
            return "Differs from an event before it"
        return f"Differs from the stored event in {', '.join(self.differing)}"

    @property
    def errors(self) -> dict[str, list[str]]:
        """The same by field, in the shape of a refusal's errors."""
        return {name: ["differs"] for name in self.differing}


class Sent(NamedTuple):
    """By whom and how an event was sent, as far as it is counted."""

    is_test: bool
    partner_id: int
    channel: str


def count(events: Iterable[tuple[Sent, Outcome]]) -> None:
    """Count each event once, by what became of it; those of test keys apart."""
    count_many(Counter(events))


def count_many(events: Counter[tuple[Sent, Outcome]]) -> None:
    """Count events of which there are many alike."""
    for (sent, outcome), number in events.items():
        counted = metrics.TEST_EVENTS if sent.is_test else metrics.EVENTS
        counted.labels(outcome, directory.partner_name(sent.partner_id), sent.channel).inc(number)
