"""`manage.py seed_demo`: a month of believable traffic, with things in it that an operator should find."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from collect.demo import making
from collect.demo.traffic import DAYS, Plan, now
from collect.models import Event
from keys.models import Partner

_LEAST = 2_000


class Command(BaseCommand):
    """Makes the demo, and says what there is to find in it."""

    help = f"Make traffic of five invented partners over the last {DAYS} days, for demos, screenshots and tests."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for size, seed and safety."""
        parser.add_argument("--events", type=int, default=50_000, metavar="N", help="about so many (default: 50000)")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed makes the same traffic")
        parser.add_argument("--force", action="store_true", help="also in a database that has events")
        parser.add_argument("--dry-run", action="store_true", help="say what would be made, and write nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make the demo. Raises CommandError for too few events, and for a database that has events already."""
        if options["events"] < _LEAST:
            raise CommandError(f"--events: at least {_LEAST}, or there is nothing to see")
        if (name := _somebody()) is not None and not options["force"]:
            raise CommandError(f"There are events of {name!r} here. --force adds the demo's to them.")
        plan = Plan(options["events"], options["seed"], now())
        if options["dry_run"]:
            self.stdout.write(making.foreseen(plan), ending="")
            return
        made, keys = making.make(plan, self._progress)
        self.stdout.write(making.told(plan, made, keys), ending="")

    def _progress(self, text: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{text}", ending="", style_func=str)


def _somebody() -> str | None:
    """Return the name of a partner that has events, if one has."""
    # Asked of each partner alone, by its index: the table may be long.
    partners = Partner.objects.order_by("pk")
    return next((one.name for one in partners if Event.objects.filter(partner=one).exists()), None)
