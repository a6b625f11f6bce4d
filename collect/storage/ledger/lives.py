"""How many events a process has counted and not written down, in a small file that outlives a `kill -9`.

The kernel keeps what is written to the file's memory, whatever becomes of the process. Only the machine's own end takes
it along.
"""

import fcntl
import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings

from collect.models import LedgerGap
from collect.storage import machine
from collect.storage.ledger.tally import NUMBERS_BYTES, Counts
from runtime import failures

logger = logging.getLogger(__name__)


class Life:
    """Keeps the numbers of a process in a file. Where there can be none they stay in memory."""

    def __init__(self, counts: Counts) -> None:
        """Begin in memory."""
        self._counts = counts
        self._path: Path | None = None
        self._file: int | None = None

    def begin(self) -> None:
        """Keep the numbers in a file from now on."""
        path = _directory() / str(uuid4())
        # Under this name nobody takes it for the file of a process that has ended.
        unfinished = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600)
            # Held until the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX)
            # Written, not only made longer: on a full disk a hole would end the process when it is first written to.
            os.write(file, bytes(NUMBERS_BYTES))
            kept = memoryview(mmap.mmap(file, NUMBERS_BYTES)).cast("q")
            unfinished.rename(path)
        except (OSError, ValueError) as error:
            logger.warning("the ledger has no file for its counts", extra={"reason": failures.reason(error)})
            return
        kept[:] = self._counts.numbers
        self._counts.numbers, self._path, self._file = kept, path, file
        self.wrote(0)

    def wrote(self, events: int) -> None:
        """Note that the outcome of so many events is now written down."""
        self._counts.numbers[1] += events
        self._counts.numbers[2] = int(datetime.now(UTC).timestamp() * 1000)

    def end(self) -> None:
        """Delete the file, unless it has something to tell, and let go of it."""
        if self._path is not None and self._counts.numbers[0] <= self._counts.numbers[1]:
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file, as the end of the process does."""
        if self._file is not None:
            # The memory has a descriptor of its own, which holds the lock too.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)
            self._file = None


def note_gaps(now: datetime) -> None:
    """Note what the processes of this machine that were killed had not written down. Raises `django.db.Error`."""
    for path, received, written, at in _dead():
        if received > written:
            gap = LedgerGap(
                machine=machine.name(),
                process=UUID(path.name),
                start=datetime.fromtimestamp(at / 1000, UTC),
                end=now,
                events=received - written,
            )
            LedgerGap.objects.bulk_create([gap], ignore_conflicts=True)
            logger.warning("a process ended before it had written its counts", extra={"events": gap.events})
        path.unlink(missing_ok=True)


def _dead() -> Iterator[tuple[Path, int, int, int]]:
    """Yield the files whose processes have ended, each with its three numbers."""
    for path in sorted(path for path in _directory().glob("*") if not path.suffix):
        with suppress(OSError):
            file = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                numbers = memoryview(os.read(file, NUMBERS_BYTES))
                if len(numbers) == NUMBERS_BYTES:
                    received, written, at = numbers.cast("q")
                    yield path, received, written, at
                else:
                    path.unlink(missing_ok=True)
            finally:
                os.close(file)


def _directory() -> Path:
    return Path(settings.VAR_DIR) / "ledger"
