"""All that the demo's partners send, in the order in which it is received."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from collect.demo import extras, profiles
from collect.demo.journeys import Audience
from collect.demo.rhythm import budgets
from collect.demo.sending import Sender, Sent, Stories

HOUR = timedelta(hours=1)
DAYS = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: about so many events, of a seed, in the 30 days before `until`, which is a whole minute in UTC."""

    events: int
    seed: int
    until: datetime

    @property
    def run(self) -> str:
        """The text that keeps ids of two runs apart: the end of the time in minutes, in hexadecimal."""
        return f"{int(self.until.timestamp()) // 60:x}"

    def rng(self, purpose: str) -> Random:
        """Return the random numbers for a purpose: the same ones for the same seed."""
        return Random(f"{self.seed} {purpose}")  # noqa: S311  # a demo, not a secret

    @property
    def stories(self) -> Stories:
        """When what goes wrong."""
        return Stories.before(self.until, self.rng("stories"))


class _Maker:
    """Makes one partner's part of the traffic, hour by hour."""

    def __init__(self, plan: Plan, profile: profiles.Profile) -> None:
        self._rng = plan.rng(profile.name)
        self._plan, self._profile = plan, profile
        self.audience = Audience(profile, plan.run, self._rng)
        self._sender = Sender(profile, plan.stories, self._rng)

    def hours(self) -> Iterator[list[Sent]]:
        """Yield what is sent of the sessions that begin in each hour."""
        plan, left = self._plan, 0
        for start, number in budgets(self._profile, plan.events * self._profile.share, plan.until, DAYS, self._rng):
            left += number
            sent: list[Sent] = []
            # A busy hour has a session of its own, even where the last one of the hour before took its events.
            while left > 0 or (number >= self._profile.floor and not sent):
                session = self.audience.session()
                left -= len(session)
                sent += self._sender.send(start + timedelta(seconds=self._rng.uniform(0, 3500)), session)
            yield sent


def all_sent(plan: Plan) -> Iterator[Sent]:
    """Yield everything that is received before the plan's end, in order."""
    makers = [_Maker(plan, profile) for profile in profiles.PROFILES]
    by_name = {profile.name: maker for profile, maker in zip(profiles.PROFILES, makers, strict=True)}
    waiting = [
        *extras.tills(plan.until, by_name[profiles.BODEGA.name].audience, plan.rng("tills")),
        *extras.staging(plan.until, by_name[profiles.NORTHWIND.name].audience, plan.rng("staging")),
    ]
    silent = plan.stories.silent
    hour = plan.until - DAYS * 24 * HOUR
    for made in zip(*(maker.hours() for maker in makers), strict=True):
        hour += HOUR
        waiting += [sent for part in made for sent in part]
        waiting.sort()
        # Nothing that comes later is received before its session has begun.
        due = next((n for n, sent in enumerate(waiting) if sent.at >= hour), len(waiting))
        yield from (sent for sent in waiting[:due] if not (sent.partner == profiles.KUMO.name and sent.at >= silent))
        del waiting[:due]


def now() -> datetime:
    """Return the last whole minute, in UTC."""
    return datetime.now(UTC).replace(second=0, microsecond=0)
