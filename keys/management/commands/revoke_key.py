"""`manage.py revoke_key`: ends a key for good."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from keys import history, lifecycle
from keys.management.arguments import find_key
from runtime.display import on_terminal, second


class Command(BaseCommand):
    """Accepts a whole key too, which somebody who has just seen one leak has at hand."""

    help = "Revoke an API key for good. Servers refuse it within 5 seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("prefix", help="the key up to its last underscore, as list_keys shows it")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Revoke the key. One revoked before stays as it is. Raises CommandError where there is no such key."""
        key = find_key(options["prefix"], self.stderr.write)
        whose = on_terminal(f"{key} of {key.partner}")
        if options["dry_run"]:
            self.stdout.write(f"Would revoke {whose}, which is {key.state}.")
        elif lifecycle.revoke(key, history.command()):
            self.stdout.write(f"Revoked {whose}.")
        else:
            self.stdout.write(f"{whose} had been revoked before, at {second(key.revoked_at)} UTC.")
