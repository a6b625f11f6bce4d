"""`manage.py erase_events`: erasure on request, with a proof on standard output."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from collect.backfills.command import BackfillCommand
from collect.backfills.erasing import FIELDS, EraseOptions, erase_events
from collect.backfills.run import Run
from collect.backfills.selection import find_partner


class Command(BackfillCommand):
    """Erases for good. With --dry-run it only tells how much."""

    unit = "rows"
    has_checkpoint = False
    help = (
        "Erase all events of a client, of a session, or one event, with the rejections of it and what waits in the "
        "spool of this machine. Standard output gets the proof, without personal data. A retry does not bring it back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for the partner, and for the client, session or event to erase."""
        super().add_arguments(parser)
        parser.add_argument("--partner", required=True, metavar="NAME")
        which = parser.add_mutually_exclusive_group(required=True)
        for field in FIELDS:
            which.add_argument(f"--{field.replace('_', '-')}", metavar="ID")

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Erase, print the proof, and return 0: nothing is ever left.

        Raises CommandError for an empty id, which would be nobody's, and for an unknown partner.
        """
        ((field, value),) = [(field, options[field]) for field in FIELDS if options[field] is not None]
        if not value.strip():
            raise CommandError(f"--{field.replace('_', '-')} must not be empty")
        if proof := erase_events(EraseOptions(find_partner(options["partner"]), field, value), run):
            self.stdout.write(json.dumps(proof, indent=2, ensure_ascii=False))
        return 0
