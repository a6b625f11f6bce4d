"""`manage.py import_events`: imports history."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from collect.backfills.command import BackfillCommand
from collect.backfills.formats.reading import FORMATS
from collect.backfills.importing import STDIN, ImportOptions, import_events
from collect.backfills.run import Run
from collect.intake.source import CHANNEL, MAX_CHANNEL


class Command(BackfillCommand):
    """Imports files. Refused events go to the file of rejects, and the exit status is 3."""

    help = (
        "Import events from NDJSON, JSON, CSV (params.x columns become keys) or Parquet, plain or compressed. "
        "The same contract as the endpoint's; ip_address and received_at are taken from the record. Run twice it adds "
        "nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the files, and the options for how to read them."""
        super().add_arguments(parser)
        parser.add_argument("files", nargs="+", metavar="FILE", help=f"{STDIN} is standard input")
        parser.add_argument(
            "--partner",
            metavar="NAME",
            help="whose events these are. Exported events name their own",
        )
        parser.add_argument("--create-partner", action="store_true", help="make the partner if there is none")
        parser.add_argument(
            "--channel", default=CHANNEL, help="of events that do not come out of an export: %(default)s"
        )
        parser.add_argument("--format", choices=FORMATS, help="if the file's name and content do not show it")
        parser.add_argument(
            "--rejects", metavar="FILE", help="append refused records to this file, to correct and import them"
        )

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Import; return how many events were refused or conflict with stored ones.

        Raises CommandError for a channel that no row can have.
        """
        channel = options["channel"].strip()
        if not 0 < len(channel) <= MAX_CHANNEL:
            raise CommandError(f"--channel must have 1 to {MAX_CHANNEL} characters")
        partner = options["partner"]
        return import_events(
            ImportOptions(
                options["files"],
                None if partner is None else partner.strip(),
                channel,
                options["format"],
                options["rejects"],
                options["create_partner"],
            ),
            run,
        )
