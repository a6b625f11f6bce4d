"""`manage.py capture_requests`: has the next requests of a key kept as they come."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys import history, lifecycle
from keys.management.arguments import find_key
from runtime.display import on_terminal, second


class Command(BaseCommand):
    """Orders a capture, or ends one. What was kept is shown by the console alone, which notes who looked."""

    help = (
        f"Keep the next requests of a key, with headers and answers, for {lifecycle.CAPTURE_TIME.seconds // 60} "
        "minutes at the longest. Servers follow within 5 seconds. The console shows what was kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("prefix", help="the key up to its last underscore, as list_keys shows it")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--requests", type=int, metavar="N", help=f"how many, 1 to {lifecycle.MAX_CAPTURED}")
        what.add_argument("--stop", action="store_true", help="keep no more of them")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Order or stop. Raises CommandError where there is no such key, or the number is out of its bounds."""
        key = find_key(options["prefix"], self.stderr.write)
        whose = on_terminal(f"{key} of {key.partner}")
        if options["dry_run"]:
            told = "stop capturing" if options["stop"] else f"capture the next {options['requests']} requests of"
            self.stdout.write(f"Would {told} {whose}.")
        elif options["stop"]:
            stopped = lifecycle.stop_capture([key.pk], history.command())
            told = "Nothing more is kept of" if stopped else "Nothing was being kept of"
            self.stdout.write(f"{told} {whose}.")
        else:
            try:
                lifecycle.capture(key, history.command(), options["requests"])
            except ValueError as error:
                raise CommandError(str(error)) from None
            self.stdout.write(
                f"The next {options['requests']} requests of {whose} are kept, until {second(key.capture_until)} UTC."
            )
