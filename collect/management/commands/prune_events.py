"""`manage.py prune_events`: retention."""

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from collect.backfills.command import BackfillCommand
from collect.backfills.pruning import EVENTS, KEY_HISTORY, REJECTIONS, TEST_EVENTS, PruneOptions, prune_events
from collect.backfills.run import Run
from collect.backfills.selection import find_partner
from keys.management.arguments import duration

_KINDS = {"rejections": REJECTIONS, "test_events": TEST_EVENTS, "key_history": KEY_HISTORY}


class Command(BackfillCommand):
    """Deletes for good. With --dry-run it only tells how much."""

    unit = "rows"
    has_checkpoint = False
    help = (
        "Delete events that were received longer ago than --older-than; or, with the options, rejections, events of "
        "test keys, or the history of keys. An event that is deleted is new when it is sent again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for the age and the kinds of what is deleted."""
        super().add_arguments(parser)
        parser.add_argument("--older-than", type=duration, required=True, metavar="400d", help="30m, 24h, 400d")
        parser.add_argument("--rejections", action="store_true", help="rejections, instead of events")
        parser.add_argument("--test-events", action="store_true", help="events of test keys, instead of all")
        parser.add_argument("--key-history", action="store_true", help="the history of keys, instead of events")
        parser.add_argument("--partner", metavar="NAME", help="only this partner's")

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Prune, and return 0: nothing is ever left. Raises CommandError for an age of zero or an unknown partner."""
        if not options["older_than"]:
            raise CommandError("--older-than must be longer than 0")
        kinds = tuple(kind for name, kind in _KINDS.items() if options[name]) or (EVENTS,)
        partner = None if options["partner"] is None else find_partner(options["partner"])
        return prune_events(PruneOptions(datetime.now(UTC) - options["older_than"], kinds, partner), run)
