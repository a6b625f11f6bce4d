"""`manage.py export_events`: exports history."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from collect.backfills.command import BackfillCommand
from collect.backfills.exporting import FORMATS, ExportOptions, export_events
from collect.backfills.run import STDOUT, Run
from collect.backfills.selection import Selection


class Command(BackfillCommand):
    """Writes events to a file, or to standard output, to which it then writes nothing else."""

    help = (
        "Export events as NDJSON, CSV or Parquet, in the order in which they came, gzip or zstd by the name of the "
        "file. What is exported can be imported, here or into another database."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for the events, the format and the file."""
        super().add_arguments(parser)
        parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="default: %(default)s")
        parser.add_argument(
            "--out", required=True, metavar="PATH", help=f"{STDOUT} is standard output; .gz and .zst are compressed"
        )
        Selection.add_arguments(parser)

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Export, and return 0: nothing is ever left. Raises CommandError for an unknown partner."""
        return export_events(ExportOptions(options["out"], options["format"], Selection.of(options)), run)
