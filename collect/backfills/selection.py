"""Which events a backfill is about."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q

from keys.models import Partner


def moment(text: str) -> datetime:
    """Return a date or moment of ISO 8601 in UTC, which is its zone if it names none. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write 2026-05-26 or 2026-05-26T16:00") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def find_partner(name: str) -> Partner:
    """Return the partner of this name. Raises CommandError if there is none."""
    try:
        return Partner.objects.get(name=name)
    except Partner.DoesNotExist:
        raise CommandError(Partner.objects.all().unknown(name)) from None


@dataclass(frozen=True, slots=True)
class Selection:
    """Events of a partner, a tag and a name that were received from `since` on and before `until`; None means any."""

    partner: Partner | None = None
    tag: str | None = None
    event_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options that `of` reads."""
        parser.add_argument("--partner", metavar="NAME", help="only this partner's")
        parser.add_argument("--tag", metavar="ID", help="only those with this tag_id")
        parser.add_argument("--event-name", metavar="NAME", help="only those of this name")
        parser.add_argument("--since", type=moment, metavar="WHEN", help="received from this date on (UTC)")
        parser.add_argument("--until", type=moment, metavar="WHEN", help="received before this date (UTC)")

    @classmethod
    def add_rejection_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options that select rejections."""
        parser.add_argument("--code", action="append", default=[], help="of this code; may be given again")
        parser.add_argument("--id", action="append", default=[], type=int, help="this one; may be given again")
        parser.add_argument("--partner", metavar="NAME", help="only this partner's")
        parser.add_argument("--since", type=moment, metavar="WHEN", help="received from this date on (UTC)")
        parser.add_argument("--until", type=moment, metavar="WHEN", help="received before this date (UTC)")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Selection":
        """Return the selection of a command's options. Raises CommandError for an unknown partner."""
        partner = None if options["partner"] is None else find_partner(options["partner"])
        return cls(partner, options["tag"], options["event_name"], options["since"], options["until"])

    @property
    def condition(self) -> Q:
        """The selection as a condition on events."""
        return Q(**{name: value for name, value in self._lookups().items() if value is not None})

    def identity(self) -> dict[str, Any]:
        """Return what tells this selection from others, for a checkpoint."""
        return {name: str(value) for name, value in self._lookups().items() if value is not None}

    def _lookups(self) -> dict[str, Any]:
        return {
            "partner_id": None if self.partner is None else self.partner.pk,
            "tag_id": self.tag,
            "event_name": self.event_name,
            "received_at__gte": self.since,
            "received_at__lt": self.until,
        }
