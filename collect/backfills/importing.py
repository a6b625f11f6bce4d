"""Events out of files into the database, by the contract that the endpoint keeps.

Every event has an id that follows from where it stands (file, line, content), so that an import that was cut off or
is run twice adds nothing: also of events without an `event_id`.
"""

import hashlib
import itertools
import json
import os
import sys
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import msgspec
from django.core.exceptions import ValidationError
from django.db import connection, connections
from msgspec import Raw

from collect import contract, geo, ingest, rows, store
from collect.backfills import exported
from collect.backfills.reading import Record, Source, Unreadable
from collect.backfills.run import BackfillError, Run
from collect.rows import Arrival, Row
from collect.store import Outcome, Written
from keys import history, lifecycle
from keys.models import Partner
from thrad_events.errors import Refusal

STDIN = "-"
# Rows of one statement: enough that its commit costs little, few enough that live events hardly wait for it.
STEP = 2_000
# Steps that may wait to be written.
AHEAD = 2
# How many rejects are told when there is no file for them.
TOLD_REJECTS = 10


@dataclass(frozen=True, slots=True)
class Options:
    """What to import. Without `partner` each event names its own, as exported ones do; `format` None: by its look."""

    files: Sequence[str]
    partner: str | None = None
    channel: str = rows.CHANNEL
    format: str | None = None
    rejects: str | None = None


class Place(NamedTuple):
    """Where a record stands: it tells two equal records apart, and the person where to look."""

    file: str
    line: int


class Rejected(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the file of rejects. Mended in `record` it can be imported as it is."""

    file: str
    line: int
    code: str
    detail: str
    errors: dict[str, list[str]]
    record: Raw


class _Judged(NamedTuple):
    """A step: what goes on, where each of it stands, and the rejects."""

    arrivals: list[Arrival]
    places: list[Place]
    rejects: list[Rejected]


class _Writer:
    """Writes one list of arrivals after another: in the cheaper way as long as nothing is repeated."""

    def __init__(self) -> None:
        self._expects_new = True

    def __call__(self, arrivals: Sequence[Arrival]) -> list[Written]:
        if self._expects_new and (written := store.write_new(arrivals)) is not None:
            return written
        written = ingest.write(arrivals)
        self._expects_new = all(one.outcome is Outcome.STORED and not one.again for one in written)
        return written


class _Writers:
    """Threads that write, each with its own connection, and each with its share of the idempotency keys.

    So two processors of the database work, and of equal events in a file the first is still the one that is stored.
    With `is_resumable` a commit does not wait for the disk: the next checkpoint's does, and what is not on disk by
    then is imported again after a crash of the database.
    """

    def __init__(self, *, dry_run: bool, is_resumable: bool) -> None:
        # SQLite has one writer at a time anyway.
        number = 2 if connection.vendor == "postgresql" else 1
        self._threads = [ThreadPoolExecutor(1, "import") for _ in range(number)]
        self._writes = [store.foresee if dry_run else _Writer() for _ in range(number)]
        if is_resumable and connection.vendor == "postgresql":
            for thread in self._threads:
                thread.submit(_commit_without_waiting).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for thread in self._threads:
            thread.submit(connections.close_all)
            thread.shutdown()

    def submit(self, arrivals: Sequence[Arrival]) -> list[tuple[list[int], Future[list[Written]]]]:
        """Begin to write; for each thread its part of the arrivals, by index, and what will have become of them."""
        parts: list[list[int]] = [[] for _ in self._threads]
        for index, arrival in enumerate(arrivals):
            key = arrival.row.event_id or arrival.row.id
            parts[zlib.crc32(key.encode()) % len(parts)].append(index)
        return [
            (part, thread.submit(write, [arrivals[index] for index in part]))
            for part, thread, write in zip(parts, self._threads, self._writes, strict=True)
            if part
        ]


def _commit_without_waiting() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")


class _Step(NamedTuple):
    """A step that is being written."""

    judged: _Judged
    records: int
    parts: list[tuple[list[int], Future[list[Written]]]]

    def written(self) -> list[Written]:
        """What became of the arrivals, in their order, once all of them are written."""
        found: dict[int, Written] = {}
        for part, future in self.parts:
            found |= zip(part, future.result(), strict=True)
        return [found[index] for index in range(len(found))]


# As we write it, and with its keys sorted.
_REJECTED_STARTS = (b'{"file"', b'{"code"')
_rejected_line = msgspec.json.Decoder(Rejected).decode


def import_events(options: Options, run: Run) -> int:
    """Import the files one after another; how many events were refused, or differ from what is stored.

    Raises `BackfillError` where a file cannot be read to its end, after what comes before has been stored.
    """
    with ExitStack() as stack:
        _Import(options, run, stack).read()
    return sum(number for reason, number in run.counts.items() if reason.startswith(("refused", "conflict")))


class _Import:
    """The import of some files, from the first record of which it is not known that it was done."""

    def __init__(self, options: Options, run: Run, stack: ExitStack) -> None:
        self._run = run
        self._format = options.format
        self._judge = _Judge(options, run)
        self._sources = [_open(path, stack) for path in options.files]
        self._is_resumable = STDIN not in options.files and not run.dry_run
        position = run.resume(**_identity(options, self._sources)) if self._is_resumable else {}
        self._first, self._done = position.get("file", 0), position.get("records", 0)
        self._told = 0
        self._rejects: BinaryIO | None = None
        if options.rejects and not run.dry_run:
            if any(Path(options.rejects).exists() and Path(options.rejects).samefile(path) for path in options.files):
                raise BackfillError(f"{options.rejects} is imported: let the rejects go to another file")
            self._rejects = _open_rejects(options.rejects, position.get("rejects"), stack)
            # From the start it is known how long the file was: a kill may come before the first step is done.
            run.save({"file": self._first, "records": self._done, "rejects": self._rejects.tell()}, now=True)

    def read(self) -> None:
        """Import the files one after another."""
        for index, source in enumerate(self._sources[self._first :], self._first):
            self._index = index
            records = itertools.islice(source.records(self._format), self._done, None)
            try:
                self._write_all(records, source)
            except Unreadable as error:
                raise BackfillError(str(error)) from None
            self._done = 0
        self._run.finish()

    def _write_all(self, records: Iterator[Record], source: Source) -> None:
        """Judge a step while those before are being written; whatever ends the reading, what was judged is kept."""
        pending: deque[_Step] = deque()
        is_first = True
        with _Writers(dry_run=self._run.dry_run, is_resumable=self._is_resumable) as writers:
            try:
                for step in _steps(records):
                    if is_first:
                        self._run.begin(source.read_fraction() or 0.0)
                        is_first = False
                    judged = self._judge(source.path, step)
                    pending.append(_Step(judged, len(step), writers.submit(judged.arrivals)))
                    if len(pending) > AHEAD:
                        self._settle(pending.popleft())
                        self._run.advance(self._done, source.read_fraction())
            finally:
                while pending:
                    self._settle(pending.popleft(), is_last=not pending)

    def _settle(self, step: "_Step", *, is_last: bool = False) -> None:
        judged, written = step.judged, step.written()
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

    def _keep(self, rejects: Sequence[Rejected]) -> None:
        if self._rejects is not None:
            self._rejects.writelines(msgspec.json.encode(reject) + b"\n" for reject in rejects)
            self._rejects.flush()
            os.fsync(self._rejects.fileno())
            return
        for reject in rejects[: TOLD_REJECTS - self._told]:
            self._told += 1
            self._run.tell(f"{reject.file}:{reject.line}: {reject.code}: {reject.detail}")


def _open(path: str, stack: ExitStack) -> Source:
    if path == STDIN:
        return Source(path, sys.stdin.buffer, None)
    try:
        file = stack.enter_context(open(path, "rb"))  # noqa: SIM115  # the stack closes it
    except OSError as error:
        raise BackfillError(f"{path}: {error.strerror}") from None
    return Source(path, file, os.fstat(file.fileno()).st_size)


def _identity(options: Options, sources: Sequence[Source]) -> dict[str, Any]:
    files = [(str(Path(source.path).resolve()), *source.stamp()) for source in sources]
    return {**asdict(options), "files": files}


def _steps(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Lists of up to `STEP` records; what precedes an error comes before it."""
    step: list[Record] = []
    try:
        for record in records:
            step.append(record)
            if len(step) == STEP:
                yield step
                step = []
    except Unreadable:
        if step:
            yield step
        raise
    if step:
        yield step


def _open_rejects(path: str, offset: int | None, stack: ExitStack) -> BinaryIO:
    """The file of rejects, at its end; of a run that was cut off at what is known to have been done."""
    try:
        file = stack.enter_context(open(path, "r+b" if Path(path).exists() else "w+b"))  # noqa: SIM115
    except OSError as error:
        raise BackfillError(f"{path}: {error.strerror}") from None
    if offset is not None:
        file.truncate(offset)
    file.seek(0, os.SEEK_END)
    return file


def _not_stored(judged: _Judged, written: Sequence[Written]) -> Iterator[Rejected]:
    for arrival, place, one in zip(judged.arrivals, judged.places, written, strict=True):
        if one.outcome is Outcome.CONFLICT:
            detail = f"Differs from the stored event {one.id} in {', '.join(one.differing)}"
            yield _reject(place, Outcome.CONFLICT, detail, {name: ["differs"] for name in one.differing}, arrival.body)
        elif one.outcome is Outcome.REJECTED:
            refusal = contract.poisoned()
            yield _reject(place, refusal.code, refusal.detail, {}, arrival.body)


def _reject(place: Place, code: str, detail: str, errors: dict[str, list[str]], body: bytes) -> Rejected:
    try:
        json.loads(body)
        record = Raw(body)
    except (ValueError, RecursionError):
        # No JSON: as a text, which can be mended too.
        record = Raw(msgspec.json.encode(body.decode("utf-8", "backslashreplace")))
    return Rejected(place.file, place.line, code, detail, errors, record)


class _Judge:
    """Records become rows, or rejects."""

    def __init__(self, options: Options, run: Run) -> None:
        self._options = options
        self._run = run
        self._partners: dict[str, int | None] = {}
        self._keys: dict[tuple[int, str], int] = {}
        self._started_at = datetime.now(UTC)
        self._partner_id = None if options.partner is None else self._partner(options.partner)

    def __call__(self, path: str, records: Iterable[Record]) -> _Judged:
        """Each record alone."""
        judged = _Judged([], [], [])
        name = Path(path).name
        for record in records:
            place, body = Place(name, record.line), record.body
            try:
                if record.fault is not None:
                    raise record.fault
                place, body = _unwrapped(place, body)
                row = self._row(place, body)
            except Refusal as refusal:
                errors = {name: list(told) for name, told in (refusal.errors or {}).items()}
                judged.rejects.append(_reject(place, refusal.code, refusal.detail, errors, body))
            else:
                judged.arrivals.append(Arrival(row, rows.encode(row), body, ""))
                judged.places.append(place)
        return judged

    def _row(self, place: Place, body: bytes) -> Row:
        fault = None
        if b"partner" in body and b'"timestamp"' in body:
            try:
                return self._exported(exported.decode(body))
            except Refusal as refusal:
                fault = refusal
        try:
            sent = contract.decode_past(body)
        except Refusal as refusal:
            # A text as timestamp is what an export has: then what is wrong with it as an export says more.
            raise fault if fault is not None and "timestamp" in (refusal.errors or {}) else refusal from None
        return self._past(place, body, sent)

    def _past(self, place: Place, body: bytes, sent: contract.PastEvent) -> Row:
        if self._partner_id is None:
            if self._run.dry_run and self._options.partner is not None:
                partner_id = 0
            else:
                raise contract.invalid_event({"partner": ["required: name it with --partner"]})
        else:
            partner_id = self._partner_id
        arrived_at, address = sent.received_at, sent.ip_address
        source = rows.Source(
            partner_id=partner_id,
            api_key_id=None,
            is_test=False,
            received_at=arrived_at or self._started_at,
            ip_address=address,
            geo=geo.lookup(address),
            channel=self._options.channel,
        )
        return rows.build(sent, source, _id(partner_id, place, body, arrived_at or sent.sent_at))

    def _exported(self, event: Any) -> Row:
        if self._options.partner is not None and event.partner != self._options.partner:
            raise contract.invalid_event({"partner": [f"is {event.partner}, not {self._options.partner}"]})
        partner_id = self._partner(event.partner) or 0
        api_key_id = None if event.api_key is None else self._key(event.partner, partner_id, event.api_key)
        return exported.row(event, partner_id, api_key_id)

    def _partner(self, name: str) -> int | None:
        """The id of the partner of this name, made where there is none; None for one that a dry run would make."""
        if name not in self._partners:
            found = Partner.objects.filter(name=name).first()
            if found is None:
                found = Partner(name=name)
                try:
                    found.clean_fields(exclude={"id"})
                except ValidationError as error:
                    raise contract.invalid_event({"partner": error.messages}) from None
                self._run.tell(f"{'Would make' if self._run.dry_run else 'Made'} the partner {name}.")
                if not self._run.dry_run:
                    found.save()
            self._partners[name] = found.pk
        return self._partners[name]

    def _key(self, name: str, partner_id: int, prefix: str) -> int | None:
        if self._run.dry_run:
            return None
        if (partner_id, prefix) not in self._keys:
            try:
                key = lifecycle.remember(Partner(pk=partner_id, name=name), prefix, history.command())
            except ValueError as error:
                raise contract.invalid_event({"api_key": [str(error)]}) from None
            self._keys[partner_id, prefix] = key.pk
        return self._keys[partner_id, prefix]


def _unwrapped(place: Place, body: bytes) -> tuple[Place, bytes]:
    """Of a line of a file of rejects the record in it, with the place that it had."""
    if not body.startswith(_REJECTED_STARTS):
        return place, body
    try:
        reject = _rejected_line(body)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
        return place, body
    record = bytes(reject.record)
    return Place(reject.file, reject.line), msgspec.json.decode(record).encode() if record[:1] == b'"' else record


def _id(partner_id: int, place: Place, body: bytes, moment: datetime | None) -> str:
    """A UUIDv7 of `moment` (1970 where there is none) whose other bits follow from the record and its place."""
    digest = hashlib.sha256(f"{partner_id}\0{place.file}\0{place.line}\0".encode() + body).digest()
    return rows.uuid7(moment or datetime.fromtimestamp(0, UTC), int.from_bytes(digest[:10]) >> 6)
