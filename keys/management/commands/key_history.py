"""`manage.py key_history`: what happened to a key, newest first."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from keys.management.arguments import find_key
from runtime.display import on_terminal, second


class Command(BaseCommand):
    """Prints one line for each change, with times in UTC."""

    help = "Show what happened to an API key: when, what, who, from where."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("prefix", help="the key up to its last underscore, as list_keys shows it")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the key's history. Raises CommandError where there is no such key."""
        key = find_key(options["prefix"], self.stderr.write)
        self.stdout.write(on_terminal(f"{key} of {key.partner}, {key.state}"))
        for change in key.history.all():
            place = f" from {change.address}" if change.address else ""
            detail = f": {change.detail}" if change.detail else ""
            self.stdout.write(on_terminal(f"{second(change.at)}  {change.what} by {change.by_name}{place}{detail}"))
