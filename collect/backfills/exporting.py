"""Events out of the database into a file, which is there only once it is whole."""

import codecs
import csv
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID

from collect.backfills.formats import cells, exported
from collect.backfills.formats.packing import packer
from collect.backfills.formats.pages import pages
from collect.backfills.run import STDOUT, BackfillError, Run, is_stream, private
from collect.backfills.selection import Selection
from collect.models import Event

FORMATS = ("ndjson", "csv", "parquet")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Where to, and what."""

    out: str
    format: str = "ndjson"
    selection: Selection = field(default_factory=Selection)


def export_events(options: ExportOptions, run: Run) -> int:
    """Write the selected events to the file, which is there only once it is whole; 0, for nothing is left.

    A run that was cut off goes on after the last page of which it is known that it was written, where the format
    lets it: in plain NDJSON and CSV. Raises `BackfillError` where the file cannot be written.
    """
    if options.format == "parquet" and packer(options.out) is not None:
        raise BackfillError("Parquet is compressed by itself: leave out .gz and .zst")
    if run.dry_run:
        run.counts["exported"] = Event.objects.filter(options.selection.condition).count()
        return 0
    try:
        with ExitStack() as stack:
            _Export(options, run, stack).write()
    except BrokenPipeError:
        raise BackfillError("nobody reads the output any more") from None
    except OSError as error:
        raise BackfillError(f"{options.out}: {error.strerror or error}") from None
    return 0


class _Export:
    """One export: a file beside the one that is asked for, which takes its place in the end."""

    def __init__(self, options: ExportOptions, run: Run, stack: ExitStack) -> None:
        self._run = run
        self._options = options
        self._stack = stack
        self._condition = options.selection.condition
        self._part = None if is_stream(options.out) else Path(f"{options.out}.part")
        self._last: UUID | None = None
        self._start = 0
        if self._part is not None and packer(options.out) is None and options.format != "parquet":
            self._resume(self._part)

    def _resume(self, part: Path) -> None:
        position = self._run.resume(out=str(part.resolve()))
        is_of_this = position.get("of") == self._of() and part.exists() and part.stat().st_size >= position["size"]
        if is_of_this:
            self._last, self._start = UUID(position["last"]), position["size"]
        else:
            # There is one file being written under this name, and its checkpoint is of something else.
            self._run.counts.clear()

    def _of(self) -> dict[str, str]:
        # Another version may have other columns, and the rest of a table must have those of its beginning.
        columns = ",".join(exported.FIELDS)
        return {"format": self._options.format, "columns": columns, **self._options.selection.identity()}

    def write(self) -> None:
        """Write all pages."""
        file = self._open()
        write, finish = _WRITERS[self._options.format](file, self._start)
        total = Event.objects.filter(self._condition).count() if self._part is not None else None
        self._stack.callback(finish)
        self._run.begin(self._run.counts["exported"] / total if total else 0.0)
        # Closed at once when the writing fails: the threads would go on reading.
        read = self._stack.enter_context(closing(pages(self._condition, self._last)))
        for events, lines, last in read:
            with lines:
                write(lines)
            self._run.counts["exported"] += events
            file.flush()
            if self._part is not None:
                # What a checkpoint says was written must be there after a loss of power; and the disk works meanwhile.
                os.fdatasync(self._plain.fileno())
            self._run.save({"last": str(last), "size": file.tell(), "of": self._of()} if self._part is not None else {})
            done = self._run.counts["exported"]
            self._run.advance(done, min(1.0, done / total) if total else None)
        finish()
        self._close(file)

    def _open(self) -> BinaryIO:
        if self._options.out == STDOUT:
            plain: BinaryIO = sys.stdout.buffer
        elif self._part is None:
            plain = self._stack.enter_context(open(self._options.out, "wb"))  # noqa: SIM115
        else:
            plain = self._stack.enter_context(open(self._part, "r+b" if self._start else "wb", opener=private))  # noqa: SIM115
            plain.truncate(self._start)
            plain.seek(self._start)
        self._plain = plain
        pack = packer(self._options.out)
        return plain if pack is None else cast(BinaryIO, self._stack.enter_context(pack(plain)))

    def _close(self, file: BinaryIO) -> None:
        if file is not self._plain:
            file.close()
        self._plain.flush()
        if self._part is None:
            return
        os.fsync(self._plain.fileno())
        self._part.replace(self._options.out)
        self._run.finish()


# --- formats ---------------------------------------------------------------------------------------

Writer = tuple[Callable[[BinaryIO], None], Callable[[], None]]


def _nothing() -> None:
    """An end that needs nothing written."""


def _ndjson(file: BinaryIO, start: int) -> Writer:
    return lambda lines: shutil.copyfileobj(lines, file, 1024 * 1024), _nothing


def _csv(file: BinaryIO, start: int) -> Writer:
    rows = csv.writer(codecs.getwriter("utf-8")(file))
    if not start:
        rows.writerow(exported.FIELDS)
    return lambda lines: rows.writerows(cells.to_csv(exported.decode_own(line)) for line in lines), _nothing


def _parquet(file: BinaryIO, start: int) -> Writer:
    from collect.backfills.formats import parquet_file  # noqa: PLC0415  # needs 50 MiB

    writer = parquet_file.Writer(file)
    return writer.write, writer.finish


_WRITERS: dict[str, Callable[[BinaryIO, int], Writer]] = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}
