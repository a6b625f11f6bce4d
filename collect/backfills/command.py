"""What the commands of backfills have in common: the options, the signals, the last lines and the exit status.

Exit status, for a scheduler: 0 done; 1 it failed; 2 wrong options; 3 done, but something was refused or left as it is;
130 and 143 stopped by Ctrl-C and SIGTERM, to be run again.
"""

import ctypes
import gc
import hashlib
import logging
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from collect.backfills.run import BackfillError, Run, Stopped
from runtime import display
from runtime.periodic import Busy, alone

LEFT = 3
# Live traffic comes first: a backfill takes what processors it leaves.
NICENESS = 19


@contextmanager
def _alone(work: str) -> Iterator[None]:
    """Hold the right to do this work on this machine.

    Raises `BackfillError` while another process does the same: two would write over each other's files.
    """
    digest = hashlib.sha256(work.encode("utf-8", "surrogateescape")).hexdigest()
    directory = Path(settings.VAR_DIR) / "locks"
    with ExitStack() as stack:
        # Without a directory that this user may write to there is nothing to hold on to; the work can be done.
        with suppress(OSError):
            try:
                stack.enter_context(alone(directory / f"{digest[:16]}.lock"))
            except Busy:
                raise BackfillError("The same command is running already") from None
        yield


@contextmanager
def _signals(run: Run, caught: list[int]) -> Iterator[None]:
    """Ask the run to stop at Ctrl-C or SIGTERM, and put into `caught` which it was."""

    def stop(number: int, _frame: object) -> None:
        if caught:
            raise KeyboardInterrupt  # asked twice: at once, which loses no more than a kill does
        caught.append(number)
        run.stop_asked = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep_memory() -> None:
    """What a step has used the next one uses again: glibc would give it back and take it anew (mallopt(3))."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 16 * 1024 * 1024


class BackfillCommand(BaseCommand):
    """Runs `backfill` as above. What a command says of its progress goes to standard error."""

    unit = "events"
    # Whether a run remembers where it is; else it finds what is left to do by looking.
    has_checkpoint = True
    # The server's checks are the server's; a pipeline wants to see what it asked for, a second earlier.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--dry-run` and `--restart`; a command adds its own."""
        parser.add_argument("--dry-run", action="store_true", help="write nothing, say what would be done")
        if self.has_checkpoint:
            parser.add_argument("--restart", action="store_true", help="begin anew, not where the last run was cut off")

    def run_from_argv(self, argv: list[str]) -> None:
        """As Django does it, at a low priority, and with few looks for garbage, of which rows leave none."""
        gc.set_threshold(100_000, 20, 100)
        _keep_memory()
        os.nice(max(0, NICENESS - os.nice(0)))
        super().run_from_argv(argv)

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Do it; how many of what was looked at are left as they were for a reason that somebody should look at."""
        raise NotImplementedError

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exits as the module says."""
        run = Run(
            self._name(),
            self._tell,
            dry_run=options["dry_run"],
            restart=options.get("restart", False),
            is_terminal=self.stderr.isatty(),
        )
        self._log_in_words()
        caught: list[int] = []
        try:
            with _signals(run, caught), _alone(f"{self._name()} {sorted(options.items(), key=str)}"):
                left = self.backfill(run, options)
        except Stopped:
            run.summary(self.unit)
            run.tell("Stopped. Run the same command again to go on from here.")
            sys.exit(128 + caught[0] if caught else 1)
        except (BackfillError, Error, OSError) as error:
            reason = display.on_terminal(str(error).strip().rstrip("."))
            if not run.counts:
                raise CommandError(reason) from error
            run.summary(self.unit)
            raise CommandError(f"{reason}. What was done is kept; run again to go on.") from error
        run.summary(self.unit)
        if left:
            sys.exit(LEFT)

    def _log_in_words(self) -> None:
        """What is logged meanwhile, as a person reads it; a scheduler collects the lines of JSON as it does always."""
        if self.stderr.isatty():
            for handler in logging.getLogger().handlers:
                handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))

    def _tell(self, text: str) -> None:
        self.stderr.write(text, style_func=str, ending="")
        self.stderr.flush()

    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]
