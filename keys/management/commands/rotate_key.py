"""`manage.py rotate_key`: issues a key in place of an old one, which goes on working for a while."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from keys import history, lifecycle
from keys.management.arguments import duration, find_key
from runtime.display import on_terminal, second


class Command(BaseCommand):
    """Writes the raw key, and nothing else, to standard output."""

    help = "Issue a key in place of another one. The raw key, alone, goes to standard output, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("prefix", help="the old key up to its last underscore, as list_keys shows it")
        parser.add_argument(
            "--grace",
            type=duration,
            default=timedelta(hours=24),
            metavar="TIME",
            help="how long the old key goes on working: 30m, 24h (the default), 7d, or 0",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Issue the new key and set when the old one ends.

        Raises CommandError where there is no such key, or it does not work any more.
        """
        key = find_key(options["prefix"], self.stderr.write)
        until = timezone.now() + options["grace"]
        if options["dry_run"]:
            whose = on_terminal(f"{key} of {key.partner}")
            self.stderr.write(f"Would replace {whose}, which would work until {second(until)} UTC.")
            return
        try:
            new, raw_key = lifecycle.rotate(key, history.command(), until)
        except lifecycle.Ended as error:
            raise CommandError(str(error)) from None
        key.refresh_from_db()
        self.stderr.write(
            f"{new.prefix} takes the place of {key.prefix}, which works until {second(key.expires_at)} UTC."
        )
        self.stderr.write("The new key is not shown again:")
        self.stdout.write(raw_key)
