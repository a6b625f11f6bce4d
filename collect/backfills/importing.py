"""Imports events from files: reads, judges and writes a step at a time, and goes on where a run was cut off."""

import itertools
import os
import stat
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from collect.backfills.formats.reading import RecordFile
from collect.backfills.formats.records import Record, Unreadable
from collect.backfills.judging import Judge, JudgedStep, Reject, reject_of
from collect.backfills.partners import Partners
from collect.backfills.run import BackfillError, Run, Stopped, private
from collect.backfills.writing import Writers
from collect.intake import contract
from collect.intake.source import CHANNEL
from collect.storage import late
from collect.storage.ledger import writing as ledger
from collect.storage.outcomes import DURABLE, Outcome, Written
from runtime.refusals import Refusal

STDIN = "-"
# Rows of one statement: enough that its commit costs little, few enough that live events hardly wait for it.
STEP = 2_000
# Bytes of a step, for large records: some steps are in memory at a time, each twice, as read and as written.
STEP_BYTES = 2 * 1024 * 1024
# Steps that may wait to be written.
AHEAD = 2
# How many rejects are printed when there is no file for them.
TOLD_REJECTS = 10


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What to import. Without `partner` each event names its own, as exported ones do. No `format`: it is guessed.

    A `partner` that is not there is an error, unless it is to be created. Those that exported events name are created.
    """

    files: Sequence[str]
    partner: str | None = None
    channel: str = CHANNEL
    format: str | None = None
    rejects: str | None = None
    create_partner: bool = False


class _Step(NamedTuple):
    """A step that is being written."""

    judged: JudgedStep
    records: int
    parts: list[tuple[list[int], Future[list[Written]]]]

    def written(self) -> list[Written]:
        """Wait until all arrivals are written, and return what became of each, in their order.

        Raises `django.db.Error` if a part of them could not be written.
        """
        found: dict[int, Written] = {}
        for part, future in self.parts:
            found |= zip(part, future.result(), strict=True)
        return [found[index] for index in range(len(found))]


def import_events(options: ImportOptions, run: Run) -> int:
    """Import the files one after another; return how many events were refused or conflict with stored ones.

    Raises `BackfillError` if a file cannot be read to its end, after what comes before has been stored, or if the file
    of rejects cannot be used; and `Stopped` as `Run.advance` does.
    """
    with ExitStack() as stack:
        if not run.dry_run:
            stack.enter_context(ledger.running())
        _Import(options, run, stack).read()
    return sum(number for reason, number in run.counts.items() if reason.startswith(("refused", "conflict")))


class _Import:
    """The import of some files, beginning with the first record that is not known to be done."""

    def __init__(self, options: ImportOptions, run: Run, stack: ExitStack) -> None:
        self._run = run
        self._format = options.format
        try:
            partners = Partners(run.tell, dry_run=run.dry_run)
            self._judge = Judge(options.partner, options.channel, partners, create_partner=options.create_partner)
        except Refusal as refusal:
            raise BackfillError(refusal.detail) from None
        self._files = [_open(path, stack) for path in options.files]
        self._is_resumable = STDIN not in options.files and not run.dry_run
        position = run.resume(**_identity(options, self._files)) if self._is_resumable else {}
        self._first, self._done = position.get("file", 0), position.get("records", 0)
        self._told = 0
        self._rejects: BinaryIO | None = None
        if options.rejects and not run.dry_run:
            files = [path for path in options.files if path != STDIN]
            if any(Path(options.rejects).exists() and Path(options.rejects).samefile(path) for path in files):
                raise BackfillError(f"{options.rejects} is imported: let the rejects go to another file")
            self._rejects = _open_rejects(options.rejects, position.get("rejects"), stack)
            # Save the length of the file of rejects at once: a kill may come before the first step is done.
            run.save({"file": self._first, "records": self._done, "rejects": self._rejects.tell()}, now=True)

    def read(self) -> None:
        """Import the files one after another. Raises `BackfillError` if one cannot be read to its end."""
        for index, file in enumerate(self._files[self._first :], self._first):
            self._index = index
            records = itertools.islice(file.records(self._format), self._done, None)
            try:
                self._write_all(records, file)
            except Unreadable as error:
                raise BackfillError(str(error)) from None
            self._done = 0
        self._run.finish()

    def _write_all(self, records: Iterator[Record], file: RecordFile) -> None:
        """Judge each step while those before it are being written. If reading ends early, what was judged is kept."""
        pending: deque[_Step] = deque()
        is_first = True
        with Writers(dry_run=self._run.dry_run, is_resumable=self._is_resumable) as writers:
            try:
                for step in _steps(records):
                    if is_first:
                        self._run.begin(file.read_fraction() or 0.0)
                        is_first = False
                    judged = self._judge(file.path, step)
                    pending.append(_Step(judged, len(step), writers.submit(judged.arrivals)))
                    if len(pending) > AHEAD:
                        self._settle(pending.popleft())
                        self._run.advance(self._done, file.read_fraction())
            except (Unreadable, Stopped):
                self._settle_all(pending)
                raise
            # After any other error no more steps are counted: a checkpoint behind the step that failed would hide it.
            self._settle_all(pending)

    def _settle_all(self, pending: "deque[_Step]") -> None:
        while pending:
            self._settle(pending.popleft(), is_last=not pending)

    def _settle(self, step: "_Step", *, is_last: bool = False) -> None:
        judged, written = step.judged, step.written()
        if not self._run.dry_run:
            late.note(late.IMPORT, judged.arrivals, written)
        rejects = judged.rejects + list(_not_stored(judged, written))
        self._keep(sorted(rejects, key=lambda reject: reject.line))
        counts = self._run.counts
        for reject in rejects:
            counts["conflict" if reject.code == Outcome.CONFLICT else f"refused: {reject.code}"] += 1
        outcomes = Counter([one.outcome for one in written])
        before = sum([one.again for one in written])
        counts["stored"] += outcomes[Outcome.STORED] - before
        counts["stored before"] += before
        counts["duplicate"] += outcomes[Outcome.DUPLICATE]
        self._done += step.records
        offset = self._rejects.tell() if self._rejects else None
        self._run.save({"file": self._index, "records": self._done, "rejects": offset}, now=is_last)

    def _keep(self, rejects: Sequence[Reject]) -> None:
        if self._rejects is not None:
            self._rejects.writelines(msgspec.json.encode(reject) + b"\n" for reject in rejects)
            self._rejects.flush()
            if stat.S_ISREG(os.fstat(self._rejects.fileno()).st_mode):
                os.fsync(self._rejects.fileno())
            return
        for reject in rejects[: TOLD_REJECTS - self._told]:
            self._told += 1
            place = f"{reject.file}:{reject.line}" + (f" ({reject.lines} lines)" if reject.lines > 1 else "")
            self._run.tell(f"{place}: {reject.code}: {reject.detail}")


def _open(path: str, stack: ExitStack) -> RecordFile:
    if path == STDIN:
        return RecordFile(path, sys.stdin.buffer, None)
    try:
        file = stack.enter_context(open(path, "rb"))  # noqa: SIM115  # the stack closes it
    except OSError as error:
        raise BackfillError(f"{path}: {error.strerror}") from None
    return RecordFile(path, file, os.fstat(file.fileno()).st_size)


def _identity(options: ImportOptions, files: Sequence[RecordFile]) -> dict[str, Any]:
    stamps = [(str(Path(file.path).resolve()), *file.stamp()) for file in files]
    wanted = asdict(options)
    # The partner of a run that was cut off is there, and need not be made by the next one.
    del wanted["create_partner"]
    return {**wanted, "files": stamps}


def _steps(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Yield lists of up to `STEP` records, or of a little more than `STEP_BYTES`.

    Raises `Unreadable` after the records that precede the fault.
    """
    step: list[Record] = []
    size = 0
    try:
        for record in records:
            step.append(record)
            size += len(record.body)
            if len(step) == STEP or size > STEP_BYTES:
                yield step
                step, size = [], 0
    except Unreadable:
        if step:
            yield step
        raise
    if step:
        yield step


def _open_rejects(path: str, offset: int | None, stack: ExitStack) -> BinaryIO:
    """Open the file of rejects at its end. That of a run that was cut off is truncated to what is known to be done.

    Raises `BackfillError` if it cannot be opened.
    """
    try:
        mode = "r+b" if Path(path).exists() else "w+b"
        file = stack.enter_context(open(path, mode, opener=private))  # noqa: SIM115
    except OSError as error:
        raise BackfillError(f"{path}: {error.strerror}") from None
    if offset is not None:
        file.truncate(min(offset, os.fstat(file.fileno()).st_size))
    file.seek(0, os.SEEK_END)
    return cast(BinaryIO, file)


def _not_stored(judged: JudgedStep, written: Sequence[Written]) -> Iterator[Reject]:
    for arrival, place, one in zip(judged.arrivals, judged.places, written, strict=True):
        if one.outcome is Outcome.CONFLICT:
            detail = f"{one.difference}: {one.id}" if one.differing else one.difference
            yield reject_of(place, Outcome.CONFLICT, detail, arrival.body, errors=one.errors)
        elif one.outcome not in DURABLE:
            refusal = contract.poisoned()
            yield reject_of(place, refusal.code, f"{refusal.detail}: {one.reason}", arrival.body)
