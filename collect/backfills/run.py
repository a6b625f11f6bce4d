"""One run of a backfill: how far it is, what became of the events, and where to go on after it was cut off."""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collect.models import Checkpoint
from runtime import display

SAVED_EVERY_SECONDS = 1.0
# Seconds between two lines of progress in a log, and between two drawings of the one line on a terminal.
LINE_SECONDS, REDRAW_SECONDS = 10.0, 0.2

# Kinds of change that are remembered. There may be many, such as coordinates, of which the frequent ones stay.
KEPT_CHANGES = 1_000
TOLD_CHANGES = 10
# The name of a file that stands for standard output.
STDOUT = "-"


def private(path: str, flags: int) -> int:
    """Open a file for `open(opener=…)`. Only its owner may read a new one: it is as confidential as its events.

    Raises OSError.
    """
    return os.open(path, flags, 0o600)


def is_stream(out: str) -> bool:
    """Tell whether there is nothing to put in place in the end: standard output, a pipe, a device."""
    return out == STDOUT or (Path(out).exists() and not Path(out).is_file())


class Stopped(Exception):  # noqa: N818  # somebody asked for it
    """The run was asked to stop, and did so between two steps. If it is run again it goes on there."""


class BackfillError(Exception):
    """The run cannot go on; what was committed stays. Its text is for the person who ran it."""


class Run:
    """Counts, progress, stop request and checkpoint of one run. `tell` prints a text to the person who runs it."""

    def __init__(
        self,
        command: str,
        tell: Callable[[str], None] = print,
        *,
        dry_run: bool = False,
        restart: bool = False,
        is_terminal: bool = False,
    ) -> None:
        self.command = command
        self.dry_run = dry_run
        self._restart = restart
        self.counts: Counter[str] = Counter()
        # How stored events were changed, in words; the most frequent ones are printed in the end.
        self.changes: Counter[str] = Counter()
        # Set by a signal; looked at between two steps.
        self.stop_asked = False
        self._tell = tell
        self._is_terminal = is_terminal
        self._checkpoint: Checkpoint | None = None
        self._entered_at = self._saved_at = self._started_at = self._told_at = time.monotonic()
        self._begun = 0.0

    def tell(self, line: str) -> None:
        """Print one line beside the progress. What a sender put into it cannot break the line."""
        line = display.on_terminal(line)
        self._tell(f"\r\x1b[K{line}\n" if self._is_terminal else f"{line}\n")

    # --- where to go on ---------------------------------------------------------------------------

    def resume(self, **identity: Any) -> dict[str, Any]:
        """Return the position where an unfinished run of the same work stopped, and take over its counts.

        The position is empty for new work.
        """
        if self.dry_run:
            return {}
        text = json.dumps([self.command, identity], sort_keys=True, default=str)
        name = hashlib.sha256(text.encode()).hexdigest()
        if self._restart:
            Checkpoint.objects.filter(name=name).delete()
        self._checkpoint = Checkpoint.objects.filter(name=name).first()
        if self._checkpoint is None:
            self._checkpoint = Checkpoint(name=name, command=self.command, position={})
            return {}
        position: dict[str, Any] = dict(self._checkpoint.position)
        self.counts.update(position.pop("counts", {}))
        self.changes.update(position.pop("changes", {}))
        moment = f"{display.second(self._checkpoint.updated_at)} UTC"
        self.tell(f"Going on where the run of {moment} was cut off (--restart would begin anew).")
        return position

    def save(self, position: dict[str, Any], *, now: bool = False) -> None:
        """Remember that all up to `position` is done: written once a second, and at once if `now` or before a stop."""
        if self._checkpoint is None or not (
            now or self.stop_asked or time.monotonic() - self._saved_at > SAVED_EVERY_SECONDS
        ):
            return
        if len(self.changes) > KEPT_CHANGES:
            self.changes = Counter(dict(self.changes.most_common(KEPT_CHANGES // 2)))
        self._checkpoint.position = {**position, "counts": dict(self.counts), "changes": dict(self.changes)}
        self._checkpoint.save()
        self._saved_at = time.monotonic()

    def finish(self) -> None:
        """Delete the checkpoint: the work is done, and another run of it starts anew."""
        if self._checkpoint is not None and self._checkpoint.pk is not None:
            self._checkpoint.delete()

    # --- how far ----------------------------------------------------------------------------------

    def advance(self, done: int, fraction: float | None = None) -> None:
        """Report that `done` events, `fraction` (0..1) of all, were looked at. Raises `Stopped` if asked to stop."""
        if self.stop_asked:
            raise Stopped
        now = time.monotonic()
        if now - self._told_at < (REDRAW_SECONDS if self._is_terminal else LINE_SECONDS):
            return
        self._told_at = now
        line = self._progress(done, now - self._started_at, fraction)
        self._tell(f"\r\x1b[K{line}" if self._is_terminal else f"{line}\n")

    def begin(self, fraction: float) -> None:
        """Measure rate and remaining time from here, so that work done by an earlier run does not count as speed."""
        self._begun, self._started_at = fraction, time.monotonic()

    def _progress(self, done: int, seconds: float, fraction: float | None) -> str:
        line = f"{done:,} events, {done / seconds:,.0f} a second"
        if fraction is None or fraction <= self._begun:
            return line
        left = seconds * (1 - fraction) / (fraction - self._begun)
        return f"{line}, {fraction:.0%}, {_duration(left)} left"

    def summary(self, unit: str) -> None:
        """Print what became of the `unit`, by reason, and the most frequent changes."""
        if self._is_terminal:
            self._tell("\r\x1b[K")
        if self.dry_run:
            self.tell("Dry run: nothing was written. It would be:")
        for reason, number in (+self.counts).most_common():
            self.tell(f"{number:>12,} {reason}")
        number = sum(self.counts.values())
        named = unit.removesuffix("s") if number == 1 else unit
        self.tell(f"{number:>12,} {named} in {time.monotonic() - self._entered_at:.1f} s")
        if self.changes:
            self.tell("The most frequent changes:")
        for change, number in self.changes.most_common(TOLD_CHANGES):
            self.tell(f"{number:>12,} {change}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
