"""The time that a page or a command looks at, and how an address names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runtime import display

# The ranges that an address can name by their length, which end now.
LENGTHS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}

# A chart of it has some hundred bars of its longest step.
LONGEST = timedelta(days=1_830)
IN_WORDS = {"15m": "15 minutes", "1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}


class BadRange(ValueError):  # noqa: N818  # said to a person, who made no error of ours
    """The address or command names a time that is none."""


@dataclass(frozen=True, slots=True)
class Range:
    """The time from `start` to `end`, which is not in it. Both are aware, in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long the range is."""
        return self.end - self.start

    def before(self, distance: timedelta) -> "Range":
        """Return the range of the same length that lies `distance` earlier."""
        return Range(self.start - distance, self.end - distance)

    @property
    def query(self) -> dict[str, str]:
        """The parameters of an address that name exactly this range."""
        return {"from": _text(self.start), "until": _text(self.end)}

    def __str__(self) -> str:
        """Write the range out."""
        return display.span(self.start, self.end)


def last(length: timedelta, now: datetime | None = None) -> Range:
    """Return the range of this length that ends with the running minute."""
    end = (now or datetime.now(UTC)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    return Range(end - length, end)


def of_query(query: Mapping[str, str], default: str = "24h", longest: timedelta | None = LONGEST) -> Range:
    """Return the range that an address names: `from` and `until` (ISO 8601, UTC), or `range`, one of `LENGTHS`.

    It is no longer than `longest`, where that is given. Raises `BadRange` for what is none.
    """
    if "from" in query or "until" in query:
        end = _moment(query["until"]) if query.get("until") else last(timedelta(minutes=1)).end
        start = _moment(query["from"]) if query.get("from") else end - LENGTHS[default]
        if start >= end:
            raise BadRange(f"{_text(start)} is not before {_text(end)}")
        if longest is not None and end - start > longest:
            raise BadRange(f"A range has {longest.days} days at most; {_text(start)} is further before {_text(end)}")
        return Range(start, end)
    name = query.get("range") or default
    if name not in LENGTHS:
        raise BadRange(f"range: one of {', '.join(LENGTHS)}, not {name!r}")
    return last(LENGTHS[name])


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "T", 1))
    except ValueError:
        raise BadRange(f"{text!r} is no moment; write it as 2026-11-26T14:05Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _text(moment: datetime) -> str:
    """Return the moment as an address has it, without the parts that are zero."""
    return moment.isoformat(timespec="auto" if moment.second or moment.microsecond else "minutes").replace(
        "+00:00", "Z"
    )
