"""`manage.py rollup`: bring the buckets of the rollup up to date, make them anew, or compare them with the events."""

import argparse
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from collect.backfills.walk import making_way
from reporting.models import Progress
from reporting.rollups import checking, running
from runtime import display, failures
from runtime.periodic import Busy

_DIFFERS = 3
# While another process counts, which takes seconds.
_TRIES, _TRY_SECONDS = 60, 1.0


class Command(BaseCommand):
    """Count what arrived since the last time, and again what has changed.

    Exit status 3: --check has found hours in which buckets differ from the events.
    """

    help = "Bring the counts of events by quarter-hours up to date; a thread of the server does it every minute"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rebuild", action="store_true", help="count everything anew, by the same steps")
        what.add_argument(
            "--check", nargs="?", type=int, const=24, metavar="HOURS", help="compare so many random hours (24)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            if options["check"] is not None:
                self._check(options["check"])
                return
            if options["rebuild"]:
                running.rebuild()
            self._run()
        except Error as error:
            raise CommandError(f"The database fails: {failures.reason(error)}") from error

    def _run(self) -> None:
        began = time.monotonic()
        rollup = running.Rollup()
        events = marks = 0
        has_more = True
        while has_more:
            with making_way():
                step = self._step(rollup)
            events, marks, has_more = events + step.events, marks + step.marks, step.has_more
        until = Progress.objects.get().until
        self.stdout.write(
            f"{events:,} events counted, {marks:,} marks seen to, in {time.monotonic() - began:.1f} s; "
            f"up to date until {display.second(until)} UTC"
        )

    def _step(self, rollup: running.Rollup) -> running.Step:
        for _ in range(_TRIES):
            try:
                return rollup.step()
            except Busy:
                time.sleep(_TRY_SECONDS)
        raise CommandError("Another process has been counting for a minute")

    def _check(self, hours: int) -> None:
        found = checking.check(hours)
        for difference in found.differences:
            self.stderr.write(
                f"partner {difference.part.partner}, {display.span(difference.part.start, difference.part.end)}: "
                f"{difference.buckets:,} buckets or summaries are not what the events say"
            )
        self.stdout.write(f"{found.hours:,} hours compared, {len(found.differences):,} differ")
        if found.differences:
            raise CommandError("Run `manage.py rollup --rebuild`", returncode=_DIFFERS)
