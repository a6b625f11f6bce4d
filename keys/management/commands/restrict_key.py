"""`manage.py restrict_key`: which tags a key may send for, from where, and how many events."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from keys import history, lifecycle
from keys.management.arguments import find_key
from runtime.display import on_terminal


class Command(BaseCommand):
    """Sets the limits that are named; the others stay as they are."""

    help = "Limit an API key to tags, to networks, and to a number of events. Servers follow within 5 seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("prefix", help="the key up to its last underscore, as list_keys shows it")
        parser.add_argument("--tag", action="append", metavar="TAG", help="exact, or ending in *; once for each")
        parser.add_argument("--any-tag", action="store_true", help="lift the limit to tags")
        parser.add_argument("--network", action="append", metavar="CIDR", help="once for each")
        parser.add_argument("--any-network", action="store_true", help="lift the limit to networks")
        parser.add_argument("--per-second", type=int, metavar="EVENTS", help="events a second; 0 lifts the limit")
        parser.add_argument("--per-day", type=int, metavar="EVENTS", help="events a day, UTC; 0 lifts the limit")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Set the key's limits.

        Raises CommandError where there is no such key, or where a tag, a network or a number is invalid.
        """
        key = find_key(options["prefix"], self.stderr.write)
        if options["tag"] or options["any_tag"]:
            key.tags = options["tag"] or []
        if options["network"] or options["any_network"]:
            key.networks = options["network"] or []
        for name in ("per_second", "per_day"):
            if options[name] is not None:
                setattr(key, name, options[name] or None)
        try:
            key.clean_fields(exclude={"partner", "prefix", "digest", "label"})
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        whose = on_terminal(f"{key} of {key.partner}")
        words = f"tags: {', '.join(key.tags) or 'any'}; networks: {', '.join(key.networks) or 'any'}; "
        words += f"events a second: {key.per_second or 'any'}; a day: {key.per_day or 'any'}."
        if options["dry_run"]:
            self.stdout.write(f"Would limit {whose} to {on_terminal(words)}")
            return
        lifecycle.change(key, history.command())
        self.stdout.write(f"{whose} is limited to {on_terminal(words)}")
