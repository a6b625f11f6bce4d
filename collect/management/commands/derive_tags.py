"""`manage.py derive_tags`: derives `site:` tags again, by today's rule for hosts."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from collect.backfills.command import BackfillCommand
from collect.backfills.deriving import derive_tags
from collect.backfills.run import Run
from collect.backfills.selection import Selection


class Command(BackfillCommand):
    """Changes tags that the server derived. The exit status is 3 if one could not be changed."""

    help = "Derive the site: tags of events again from their page_url. A tag that was sent is never touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options that select events."""
        super().add_arguments(parser)
        Selection.add_arguments(parser)

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Derive the tags; return how many could not be changed because of another event."""
        return derive_tags(Selection.of(options), run)
