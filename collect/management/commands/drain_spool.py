"""`manage.py drain_spool`: does by hand what the server does by itself."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from collect.storage import drain, spool
from collect.storage.ledger import writing as ledger
from runtime import failures
from runtime.display import second
from runtime.periodic import Busy


class Command(BaseCommand):
    """Moves the events that wait in the spool to the database, in the order in which they came."""

    help = (
        "Move the events that wait in the spool to the database. A running server does so by itself, every second; "
        "use this for a server that will not be started again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--dry-run` and `--set-aside`."""
        parser.add_argument("--dry-run", action="store_true", help="show what waits, and move nothing")
        parser.add_argument(
            "--set-aside",
            action="store_true",
            help="also try the events again that the database refused, once you have corrected the cause",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Drain the spool, or with `--dry-run` print what waits. Running it again goes on where it stopped.

        Raises CommandError (exit status 1) if the database fails or another process drains.
        """
        try:
            if options["dry_run"]:
                self._say()
                return
            if options["set_aside"]:
                self.stdout.write(f"{spool.bring_back()} events that were set aside wait again.")
            with ledger.running():
                moved = drain.drain()
            self.stdout.write(f"{moved} events moved to the database.")
            self._say_set_aside()
        except Busy:
            raise CommandError("Another process drains the spool right now") from None
        except Error as error:
            words = failures.in_words(error) or failures.reason(error)
            raise CommandError(f"{words}\nWhat was not moved still waits; try again.") from error

    def _say(self) -> None:
        found = spool.status()
        since = "" if found.oldest is None else f", the first since {second(found.oldest)} UTC"
        self.stdout.write(f"{found.events} events wait{since}. Nothing was moved.")
        self._say_set_aside()

    def _say_set_aside(self) -> None:
        for reason, events in spool.reasons():
            self.stdout.write(f"{events} events are set aside: {reason.strip()}")
