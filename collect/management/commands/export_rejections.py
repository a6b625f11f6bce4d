"""`manage.py export_rejections`: writes rejections to a file, to be mended there and replayed."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from collect.backfills.command import BackfillCommand
from collect.backfills.mending import RejectionExport, export_rejections
from collect.backfills.run import STDOUT, Run
from collect.backfills.selection import Selection, find_partner


class Command(BackfillCommand):
    """Writes rejections. The exit status is 3 if any was left out, since only a part of its body was kept."""

    unit = "rejections"
    has_checkpoint = False
    help = (
        "Write rejections that were not replayed yet to a file, one a line with its reason. Correct the events there, "
        "and replay them with replay_rejections --file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, and the options that select rejections."""
        super().add_arguments(parser)
        parser.add_argument(
            "--out", required=True, metavar="PATH", help=f"{STDOUT} is standard output; .gz and .zst are compressed"
        )
        Selection.add_rejection_arguments(parser)

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Export; return how many were left out. Raises CommandError for an unknown partner."""
        partner = None if options["partner"] is None else find_partner(options["partner"])
        selection = Selection(partner, since=options["since"], until=options["until"])
        return export_rejections(RejectionExport(options["out"], options["code"], options["id"], selection), run)
