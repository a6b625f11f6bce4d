"""`manage.py reenrich_events`: enriches history again, by today's geo database and user-agent rules."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from collect.backfills.command import BackfillCommand
from collect.backfills.reenriching import ReenrichOptions, reenrich_events
from collect.backfills.run import Run
from collect.backfills.selection import Selection


class Command(BackfillCommand):
    """Writes only rows that change, and prints the most frequent changes."""

    help = (
        "Look up the place of ip_address and the parts of user_agent again, with the geo database and the rules of "
        "today. Without --geo and --ua it does both."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for what is looked up, and those that select events."""
        super().add_arguments(parser)
        parser.add_argument("--geo", action="store_true", help="only the place of the address")
        parser.add_argument("--ua", action="store_true", help="only the browser, system and device of the user agent")
        parser.add_argument(
            "--only-missing", action="store_true", help="leave out events whose place, browser or system is known"
        )
        Selection.add_arguments(parser)

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Enrich, and return 0: nothing is ever left. Raises CommandError for an unknown partner."""
        both = not options["geo"] and not options["ua"]
        wanted = ReenrichOptions(
            options["geo"] or both, options["ua"] or both, options["only_missing"], Selection.of(options)
        )
        return reenrich_events(wanted, run)
