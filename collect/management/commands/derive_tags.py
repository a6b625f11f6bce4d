"""`manage.py derive_tags`: `site:` tags by today's rule of hosts."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from collect.backfills.command import BackfillCommand
from collect.backfills.deriving import derive_tags
from collect.backfills.run import Run
from collect.backfills.selection import Selection


class Command(BackfillCommand):
    """Changes tags that the server derived; exit status 3 where one could not be changed."""

    help = "Derive the site: tags of events again from their page_url. A tag that was sent is never touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Of which events."""
        super().add_arguments(parser)
        Selection.add_arguments(parser)

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """How many tags another event stood in the way of."""
        return derive_tags(Selection.of(options), run)
