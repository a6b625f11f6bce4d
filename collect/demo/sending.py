"""How what visitors do becomes requests: with delays, retries, conflicts, and the faults of each partner's sender."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from collect.demo import places, profiles
from collect.demo.journeys import Happening, Visitor
from collect.demo.profiles import Profile
from collect.enrichment.city import Geo

# Of a hundred events: sent twice after a time-out, late because a phone was offline, without an id, broken.
_RETRIED, _LATE, _WITHOUT_ID, _BROKEN = 0.012, 0.004, 0.02, 0.0015
# One of so many orders is sent again with another value, under its id.
_CORRECTED_ORDERS = 40
_FLUSH_SECONDS = 300
# What the shop sends of its orders, until it does not.
_WITH_VALUE = 0.98
# What the lender's forms leave out.
_WITHOUT_CURRENCY = 0.3
NEW_BUILD = "orders-svc/2.14"


@dataclass(frozen=True, slots=True)
class Stories:
    """The moments at which something goes wrong in the last day."""

    until: datetime
    # Northwind's new build sends its timestamps as text.
    new_build: datetime
    # Bodega's orders lose their value.
    lost_value: datetime
    # Kumo sends nothing more.
    silent: datetime

    @classmethod
    def before(cls, until: datetime, rng: Random) -> "Stories":
        """Return the stories of the day that ends with `until`."""
        return cls(
            until=until,
            new_build=until - timedelta(minutes=rng.randrange(180, 300)),
            lost_value=_busiest(profiles.BODEGA, until) + timedelta(minutes=rng.randrange(60)),
            silent=until - timedelta(hours=2),
        )


def _busiest(profile: Profile, until: datetime) -> datetime:
    """Return the start of the busiest hour of the partner that began six to fourteen hours before `until`."""
    starts = [until - timedelta(hours=n) for n in range(6, 15)]
    return max(starts, key=lambda start: profile.hours[(start + profile.utc_offset).hour])


@dataclass(frozen=True, slots=True, order=True)
class Sent:
    """One event on its way: received at `at`, from the key `label` of a partner. Events of one batch share both."""

    at: datetime
    partner: str
    label: str
    number: int
    endpoint: str = field(compare=False)
    agent: str = field(compare=False)
    address: str = field(compare=False)
    place: Geo = field(compare=False)
    body: bytes = field(compare=False)


class Sender:
    """The software by which a partner sends what its visitors do."""

    def __init__(self, profile: Profile, stories: Stories, rng: Random) -> None:
        self.profile, self._stories, self._rng = profile, stories, rng
        self._server = places.server(profile.name, profile.cities[0]), profile.cities[0]
        self._numbers = self._orders = 0

    def send(self, start: datetime, happenings: list[Happening]) -> Iterator[Sent]:
        """Yield what is sent of a session that began at `start`, in no order."""
        for happening in happenings:
            moment = start + timedelta(seconds=happening.seconds)
            agent = self._build(moment)
            fields = self._fields(happening.fields, moment, agent)
            body = self._body(fields)
            at = self._arrival(moment, self._delay())
            yield self._sent(at, agent, happening.visitor, body)
            if self._rng.random() < _RETRIED:
                yield self._sent(self._arrival(at, self._rng.uniform(5, 90)), agent, happening.visitor, body)
            if self._is_corrected(fields):
                body = msgspec.json.encode(_corrected(fields))
                yield self._sent(self._arrival(at, self._rng.uniform(60, 900)), agent, happening.visitor, body)

    def _is_corrected(self, fields: dict[str, Any]) -> bool:
        self._orders += fields["event_name"] == "order_created"
        return fields["event_name"] == "order_created" and self._orders % _CORRECTED_ORDERS == 7

    def _sent(self, at: datetime, agent: str, visitor: Visitor, body: bytes) -> Sent:
        self._numbers += 1
        # A batch has events of many visitors, so it comes from the partner's own server.
        is_batch = self.profile.endpoint == profiles.BATCH
        address, place = self._server if is_batch else (visitor.address, visitor.city)
        return Sent(
            at=at, partner=self.profile.name, label=self.profile.keys[0].label, number=self._numbers,
            endpoint=self.profile.endpoint, agent=agent, address=address, place=place, body=body,
        )  # fmt: skip

    def _build(self, moment: datetime) -> str:
        """Return the build that sends: the new one takes over in two steps, and never wholly."""
        since = moment - self._stories.new_build
        if self.profile is not profiles.NORTHWIND or since < timedelta(0):
            return self.profile.agent
        share = 0.3 if since < timedelta(minutes=20) else 0.65
        return NEW_BUILD if self._rng.random() < share else self.profile.agent

    def _delay(self) -> float:
        """Return the seconds between an event and its arrival."""
        if self._rng.random() < _LATE:
            return self._rng.uniform(600, 6 * 3600)
        return self._rng.lognormvariate(-1.2, 0.7)

    def _arrival(self, moment: datetime, delay: float) -> datetime:
        at = moment + timedelta(seconds=delay)
        if self.profile.endpoint != profiles.BATCH:
            return at
        slot = (at.timestamp() // _FLUSH_SECONDS + 1) * _FLUSH_SECONDS
        return datetime.fromtimestamp(slot + 0.137, UTC)

    def _fields(self, fields: dict[str, Any], moment: datetime, agent: str) -> dict[str, Any]:
        """Return the event as the sender's software makes it."""
        found = dict(fields, timestamp=round(moment.timestamp(), 3))
        if self._rng.random() < _WITHOUT_ID and found["event_name"] == "contents_viewed":
            del found["event_id"]
        if self.profile is profiles.KUMO:
            found["timestamp"] = int(found["timestamp"] * 1000)
        elif self.profile is profiles.HARBOR:
            # Its clock shows local time, and the sender takes that for UTC.
            found["timestamp"] += self.profile.utc_offset.total_seconds()
            if self._rng.random() < _WITHOUT_CURRENCY:
                found["params"] = {name: value for name, value in found["params"].items() if name != "currency"}
        elif self.profile is profiles.BODEGA:
            self._of_bodega(found, moment)
        elif agent == NEW_BUILD:
            found["timestamp"] = str(int(found["timestamp"]))
        return found

    def _of_bodega(self, fields: dict[str, Any], moment: datetime) -> None:
        fields["timestamp"] = int(fields["timestamp"])
        if self._rng.random() < 0.15:
            fields.pop("event_id", None)
        if fields["event_name"] == "order_created" and (
            moment >= self._stories.lost_value or self._rng.random() >= _WITH_VALUE
        ):
            del fields["params"]["value"]
        if fields["event_name"] == "contents_viewed" and self._rng.random() < 0.01:
            fields["params"] = []  # what PHP makes of an empty one

    def _body(self, fields: dict[str, Any]) -> bytes:
        body = msgspec.json.encode(fields)
        # Cut off on its way.
        return body[: len(body) * 2 // 3] if self._rng.random() < _BROKEN else body


def _corrected(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the order as somebody corrected it, under the id that it had."""
    params = dict(fields["params"], shipping=4.9)
    if "value" in params:
        params["value"] = round(params["value"] + 4.9, 2)
    return {**fields, "params": params}
