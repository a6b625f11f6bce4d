"""What attribution looks at: a conversion, the events that show touches, and the touches that they show.

Nothing here reads a database. An event shows a touch of a conversion if the two share a partner and an id.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

# The ids by which a touch is matched to a conversion, the strongest first.
MATCHES = ("click_id", "impression_id", "bid_id", "session_id", "client_id")
# An id that so many touches have is nobody's: some senders have one client, as "undefined", for all.
MOST = 1_000
# The values of `MATCHES` in their order; None where there is none.
Ids = tuple[str | None, str | None, str | None, str | None, str | None]
# What tells a touch from others of its partner.
Key = tuple[str, str | None, str | None, str | UUID | None]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion, as `reporting_conversions` has it. An id that is blank is None here."""

    id: UUID
    partner_id: int
    partner: str
    event_name: str
    event_id: str | None
    timestamp: datetime
    ids: Ids
    attribution_type: str | None = None
    # Ten-thousandths of the currency; None without a well-formed value.
    value_e4: int | None = None
    currency: str | None = None
    value_issue: str | None = None
    # The places in `MATCHES` of ids that more than `MOST` touches have, which match nothing; `ids` has None there.
    shared: tuple[int, ...] = ()

    def without(self, shared: Collection[int]) -> "Conversion":
        """Return the conversion without the ids at these places, which are nobody's."""
        if not shared:
            return self
        one, two, three, four, five = (None if place in shared else id for place, id in enumerate(self.ids))
        return replace(self, ids=(one, two, three, four, five), shared=tuple(sorted(shared)))


@dataclass(frozen=True, slots=True)
class Shown:
    """An event that shows a touch, as `reporting_touches` has it."""

    id: UUID
    partner_id: int
    kind: str
    interaction: str | None
    event_name: str
    event_id: str | None
    tag_id: str
    received_at: datetime
    timestamp: datetime
    ids: Ids

    @property
    def key(self) -> Key:
        """Return what all events of one touch have in common: the ad's interaction.

        Without an interaction each event is a touch; reports of one event, by two tags, are one.
        """
        if self.interaction is not None:
            return self.kind, self.interaction, None, None
        return self.kind, None, self.event_name, self.event_id or self.id

    @property
    def place(self) -> tuple[datetime, datetime, UUID]:
        """Return the place among the events of a touch: the earliest comes first, of two the first received."""
        return self.timestamp, self.received_at, self.id


@dataclass(frozen=True, slots=True)
class Touch:
    """A touch that a conversion is matched to: the earliest event that shows it, and the strongest id in common."""

    by: Shown
    # A place in `MATCHES`.
    match: int
    # From the touch to the conversion; negative if it was later.
    gap: timedelta


def match_of(conversion: Conversion, shown: Shown) -> int | None:
    """Return the place in `MATCHES` of the strongest id that both have, None if they share none or no partner."""
    if conversion.partner_id == shown.partner_id:
        for place, (wanted, found) in enumerate(zip(conversion.ids, shown.ids, strict=True)):
            if wanted is not None and wanted == found:
                return place
    return None


def touches_of(conversion: Conversion, events: Iterable[Shown]) -> list[Touch]:
    """Return the touches that the events show of the conversion, in no order. Other events may be among them."""
    earliest: dict[Key, Shown] = {}
    strongest: dict[Key, int] = {}
    own = _own(conversion)
    for shown in events:
        match = match_of(conversion, shown)
        if match is None:
            continue
        key = shown.key
        # Without an interaction a conversion would be a touch of itself, nearer than any other.
        if shown.interaction is None and key[2:] == own:
            continue
        if key not in earliest or shown.place < earliest[key].place:
            earliest[key] = shown
        strongest[key] = min(match, strongest.get(key, match))
    return [Touch(shown, strongest[key], conversion.timestamp - shown.timestamp) for key, shown in earliest.items()]


def _own(conversion: Conversion) -> tuple[str, str | UUID]:
    return conversion.event_name, conversion.event_id or conversion.id
