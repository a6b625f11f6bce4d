"""Generated incidents: the requests of a sender, of which some are refused, and what is true of them."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

Shape = Callable[[int], "Made"]

DAY = datetime(2026, 5, 26, tzinfo=UTC)
OLD, NEW, THIRD = "orders-svc/2.13", "orders-svc/2.14", "orders-svc/2.12"
MESSAGE = "timestamp: must be a number of Unix seconds"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request: when, with which of the sender's keys, from which build, and whether it was refused."""

    at: datetime
    build: str
    is_refused: bool
    key: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """An incident: its requests in their order, and the culprits and the spared builds of the first key."""

    requests: list[Sent]
    onset: datetime
    culprits: set[str]
    spared: set[str] = field(default_factory=set)


def clock(text: str) -> datetime:
    """The moment of that day: `14:02:10.250`."""
    hours, minutes, seconds = text.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))


class Sender:
    """Sends as a Poisson process does. `is_refused` and `share` of a build may depend on the moment."""

    def __init__(self, seed: int, key: int = 0) -> None:
        self.key = key
        self.dice = random.Random(seed)
        self.requests: list[Sent] = []

    def send(
        self, build: str, start: str, end: str, *, every: float, refused: float = 0.0,
        share: Callable[[float], float] = lambda part: 1.0,
    ) -> "Sender":  # fmt: skip
        """Send every so many seconds; a part is refused. `share` is what of it is sent as time goes from 0 to 1."""
        first, last = clock(start), clock(end)
        for at in self._moments(first, last, every):
            if self.dice.random() < share((at - first) / (last - first)):
                self.requests.append(Sent(at, build, self.dice.random() < refused, self.key))
        return self

    def _moments(self, at: datetime, end: datetime, every: float) -> Iterator[datetime]:
        while at < end:
            yield at
            at += timedelta(seconds=self.dice.expovariate(1 / every))

    def made(self, onset: str, culprits: set[str], spared: set[str] | None = None) -> Made:
        """The incident, whose onset is the first refusal of a culprit from that moment on."""
        requests = sorted(self.requests, key=lambda sent: sent.at)
        begin = clock(onset)
        first = next(s.at for s in requests if s.is_refused and s.key == 0 and s.build in culprits and s.at >= begin)
        return Made(requests, first, culprits, spared or set())


def restarted(seed: int) -> Made:
    """The new build takes the old one's place at once."""
    sender = Sender(seed).send(OLD, "10:00:00", "14:02:10", every=10)
    return sender.send(NEW, "14:02:10", "14:40:00", every=3, refused=1.0).made("14:02:10", {NEW})


def rolled_out_gradually(seed: int) -> Made:
    """Both builds send at once; the new one's share grows from nothing to all."""
    sender = Sender(seed).send(OLD, "10:00:00", "13:30:00", every=10)
    sender.send(OLD, "13:30:00", "14:20:00", every=3, share=lambda part: 1 - 0.9 * part)
    return sender.send(NEW, "13:30:00", "14:20:00", every=3, refused=1.0, share=lambda part: part).made(
        "13:30:00", {NEW}, {OLD}
    )


def tried_on_a_few_first(seed: int) -> Made:
    """A canary takes a twentieth for 40 minutes, then the new build takes half."""
    sender = Sender(seed).send(OLD, "10:00:00", "14:50:00", every=8)
    sender.send(NEW, "13:40:12", "14:20:00", every=40, refused=1.0)
    return sender.send(NEW, "14:20:00", "14:50:00", every=3, refused=1.0).made("13:40:12", {NEW}, {OLD})


def came_back_after_a_pause(seed: int) -> Made:
    """The new build failed, was rolled back for hours, and came again."""
    sender = Sender(seed).send(NEW, "09:10:00", "09:40:00", every=2, refused=1.0)
    sender.send(OLD, "08:00:00", "14:02:58", every=10)
    return sender.send(NEW, "14:02:58", "14:40:00", every=4, refused=1.0).made("14:02:58", {NEW})


def with_two_keys(seed: int) -> Made:
    """Another key of the same sender has an incident of the same cause, of another build, at another time."""
    sender = Sender(seed).send(OLD, "10:00:00", "14:40:00", every=10)
    sender.requests += Sender(seed, key=1).send(THIRD, "11:15:00", "14:40:00", every=9, refused=1.0).requests
    return sender.send(NEW, "14:02:31", "14:40:00", every=4, refused=1.0).made("14:02:31", {NEW}, {OLD})


def of_one_event_type(seed: int) -> Made:
    """The new build's requests are refused only for a rare type of event."""
    sender = Sender(seed).send(OLD, "10:00:00", "14:50:00", every=6)
    return sender.send(NEW, "13:02:10", "14:50:00", every=4, refused=0.03).made("13:02:10", {NEW}, {OLD})


def over_noise_of_both(seed: int) -> Made:
    """Both builds always have some refusals; all of the new one's are refused from a moment on."""
    sender = Sender(seed).send(OLD, "08:00:00", "14:40:00", every=4, refused=0.05)
    sender.send(THIRD, "08:00:00", "14:40:00", every=9, refused=0.05)
    return sender.send(NEW, "14:02:40", "14:40:00", every=2, refused=1.0).made("14:02:40", {NEW})


def over_noise_of_itself(seed: int) -> Made:
    """No new build: what this one is given to send changed, over its usual refusals."""
    sender = Sender(seed).send(NEW, "08:00:00", "14:02:55", every=4, refused=0.05)
    sender.send(OLD, "08:00:00", "14:40:00", every=9)
    return sender.send(NEW, "14:02:55", "14:40:00", every=2, refused=0.9).made("14:02:55", {NEW}, {OLD})


def at_the_turn_of_a_minute(seed: int) -> Made:
    """It begins with the minute, or a tenth of a second before the next."""
    moment = "14:02:00" if seed % 2 else "14:01:59.9"
    sender = Sender(seed).send(OLD, "10:00:00", "14:40:00", every=5, refused=0.02)
    return sender.send(NEW, moment, "14:40:00", every=3, refused=1.0).made(moment, {NEW})


def in_batches(seed: int) -> Made:
    """The sender collects for ten minutes and sends at once; two builds do so side by side."""
    sender = Sender(seed)
    for number in range(30):
        at = clock("10:00:07") + timedelta(minutes=10 * number)
        sender.requests += [Sent(at + timedelta(milliseconds=n), OLD, False) for n in range(20)]
    for number in range(12):
        at = clock("12:33:07") + timedelta(minutes=10 * number, seconds=sender.dice.random() * 20)
        sender.requests += [Sent(at + timedelta(milliseconds=n), NEW, True) for n in range(sender.dice.randint(20, 60))]
    return sender.made("12:33:07", {NEW}, {OLD})


SHAPES = [
    restarted, rolled_out_gradually, tried_on_a_few_first, came_back_after_a_pause, with_two_keys,
    of_one_event_type, over_noise_of_both, over_noise_of_itself, at_the_turn_of_a_minute, in_batches,
]  # fmt: skip
