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
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from collect.backfills.run import BackfillError, Run, Stopped
from runtime import display, failures
from runtime.periodic import Busy, alone

LEFT = 3
# Live traffic comes first: a backfill uses only the processor time that it leaves.
NICENESS = 19
OLD_LOCK_SECONDS = 86_400


@contextmanager
def _alone(work: str) -> Iterator[None]:
    """Hold the right to do this work on this machine.

    Raises `BackfillError` while another process does the same: two would write over each other's files.
    """
    digest = hashlib.sha256(work.encode("utf-8", "surrogateescape")).hexdigest()
    directory = Path(settings.VAR_DIR) / "locks"
    _forget_old_locks(directory)
    with ExitStack() as stack:
        # In a directory that this user may not write to no lock can be held; the work can be done all the same.
        with suppress(OSError):
            try:
                stack.enter_context(alone(directory / f"{digest[:16]}.lock"))
            except Busy:
                raise BackfillError("The same command is running already") from None
        yield


def _forget_old_locks(directory: Path) -> None:
    """Delete lock files older than a day that nobody holds: each set of options has one of its own."""
    for path in directory.glob("*.lock"):
        with suppress(OSError, Busy):
            if time.time() - path.stat().st_mtime > OLD_LOCK_SECONDS:
                with alone(path):
                    path.unlink()


@contextmanager
def _signals(run: Run, caught: list[int]) -> Iterator[None]:
    """Ask the run to stop at Ctrl-C or SIGTERM, and append the signal's number to `caught`.

    A second signal raises KeyboardInterrupt.
    """

    def stop(number: int, _frame: object) -> None:
        if caught:
            raise KeyboardInterrupt  # asked twice: stop at once, which loses no more than a kill does
        caught.append(number)
        run.stop_asked = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep_memory() -> None:
    """Keep freed memory for the next step: glibc would give it back and take it anew (mallopt(3))."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 16 * 1024 * 1024


def _reason(error: Exception) -> str:
    """Return what to tell the person who ran the command, safe for a terminal."""
    if isinstance(error, Error):
        words = failures.in_words(error) or failures.reason(error)
        return "\n".join(map(display.on_terminal, words.splitlines()))
    return display.on_terminal(str(error).strip())


class BackfillCommand(BaseCommand):
    """A command that runs `backfill` with these options, signals and exit statuses; progress goes to standard error."""

    unit = "events"
    # Whether a run saves how far it is. One that does not finds what is left to do by looking.
    has_checkpoint = True
    # The system checks are for the server. Without them a pipeline sees only what it asked for, a second earlier.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--dry-run` and, if the run can be resumed, `--restart`. A command adds its own options."""
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and write nothing")
        if self.has_checkpoint:
            parser.add_argument(
                "--restart", action="store_true", help="start from the beginning, not where the last run was cut off"
            )

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as Django does, but at a low priority and with rare garbage collection: rows leave no cycles."""
        gc.set_threshold(100_000, 20, 100)
        _keep_memory()
        os.nice(max(0, NICENESS - os.nice(0)))
        super().run_from_argv(argv)

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Do the work, and return how many items were left as they were for a reason that somebody should look at.

        Raises `Stopped` if the run was asked to stop, and `BackfillError`, `django.db.Error` or OSError if it failed.
        """
        raise NotImplementedError

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the backfill and exit with the status that the module names. Raises CommandError if it failed."""
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
            reason = _reason(error)
            if not run.counts:
                raise CommandError(reason) from error
            run.summary(self.unit)
            raise CommandError(f"{reason}\nWhat was done is kept; run again to go on.") from error
        run.summary(self.unit)
        if left:
            sys.exit(LEFT)

    def _log_in_words(self) -> None:
        """Log plain lines on a terminal, for a person to read. Elsewhere they stay JSON, for what collects them."""
        if self.stderr.isatty():
            for handler in logging.getLogger().handlers:
                handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))

    def _tell(self, text: str) -> None:
        self.stderr.write(text, style_func=str, ending="")
        self.stderr.flush()

    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]
