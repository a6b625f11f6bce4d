"""Events out of the database into a file, in the order of their ids; read in pages, so memory does not grow.

PostgreSQL writes the JSON itself (`COPY`), which no Python could do as fast; elsewhere the rows are encoded here.
"""

import csv
import gzip
import io
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

import msgspec
import zstandard
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from msgspec import Raw

from collect.backfills import exported, tables
from collect.backfills.run import BackfillError, Run
from collect.backfills.selection import Selection
from collect.models import Event
from collect.rows import Row
from keys.models import ApiKey, Partner

STDOUT = "-"
FORMATS = ("ndjson", "csv", "parquet")
PAGE = 20_000

_COLUMNS = [field.name for field in msgspec.structs.fields(Row)]


@dataclass(frozen=True, slots=True)
class Options:
    """Where to, and what."""

    out: str
    format: str = "ndjson"
    selection: Selection = field(default_factory=Selection)


def export_events(options: Options, run: Run) -> int:
    """Write the selected events to the file, which is there only once it is whole; 0, for nothing is left.

    A run that was cut off goes on after the last page of which it is known that it was written, where the format
    lets it: in plain NDJSON and CSV. Raises `BackfillError` where the file cannot be written.
    """
    if options.format == "parquet" and _packing(options.out) is not None:
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

    def __init__(self, options: Options, run: Run, stack: ExitStack) -> None:
        self._run = run
        self._options = options
        self._stack = stack
        self._condition = options.selection.condition
        self._part = None if _is_stream(options.out) else Path(f"{options.out}.part")
        self._last: UUID | None = None
        self._start = 0
        if self._part is not None and _packing(options.out) is None and options.format != "parquet":
            self._resume(self._part)

    def _resume(self, part: Path) -> None:
        identity = {"out": str(part.resolve()), "format": self._options.format, **self._options.selection.identity()}
        position = self._run.resume(**identity)
        if position and part.exists() and part.stat().st_size >= position["size"]:
            self._last, self._start = UUID(position["last"]), position["size"]
        else:
            self._run.counts.clear()

    def write(self) -> None:
        """Write all pages."""
        file = self._open()
        write, finish = _WRITERS[self._options.format](file, self._start)
        total = Event.objects.filter(self._condition).count() if self._part is not None else None
        self._stack.callback(finish)
        self._run.begin(self._run.counts["exported"] / total if total else 0.0)
        for events, lines, last in _pages(self._condition, self._last):
            # Else a failure would leave the database in the middle of an answer.
            with closing(lines):
                write(lines)
            self._run.counts["exported"] += events
            file.flush()
            self._run.save({"last": str(last), "size": file.tell()} if self._part is not None else {})
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
            plain = self._stack.enter_context(open(self._part, "r+b" if self._start else "wb"))  # noqa: SIM115
            plain.truncate(self._start)
            plain.seek(self._start)
        self._plain = plain
        packing = _packing(self._options.out)
        return plain if packing is None else cast(BinaryIO, self._stack.enter_context(packing(plain)))

    def _close(self, file: BinaryIO) -> None:
        if file is not self._plain:
            file.close()
        self._plain.flush()
        if self._part is None:
            return
        os.fsync(self._plain.fileno())
        self._part.replace(self._options.out)
        self._run.finish()


def _is_stream(out: str) -> bool:
    """Whether there is nothing to put in place in the end: standard output, a pipe, a device."""
    return out == STDOUT or (Path(out).exists() and not Path(out).is_file())


def _packing(out: str) -> Callable[[BinaryIO], Any] | None:
    if out.endswith(".gz"):
        return lambda plain: gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=6, mtime=0, filename="")
    if out.endswith(".zst"):
        return lambda plain: zstandard.ZstdCompressor().stream_writer(plain, closefd=False)
    return None


# --- formats ---------------------------------------------------------------------------------------

Writer = tuple[Callable[[Iterable[bytes | memoryview]], None], Callable[[], None]]


def _nothing() -> None:
    """An end that needs nothing written."""


def _ndjson(file: BinaryIO, start: int) -> Writer:
    def write(blocks: Iterable[bytes | memoryview]) -> None:
        for block in blocks:
            file.write(block)

    return write, _nothing


def _csv(file: BinaryIO, start: int) -> Writer:
    if not start:
        file.write((",".join(exported.FIELDS) + "\r\n").encode())

    def write(blocks: Iterable[bytes | memoryview]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(tables.to_csv(event) for event in _events(blocks))
        file.write(text.getvalue().encode())

    return write, _nothing


def _parquet(file: BinaryIO, start: int) -> Writer:
    write_group, finish = tables.parquet_writer(file)
    return lambda blocks: write_group(list(_events(blocks))), finish


_WRITERS: dict[str, Callable[[BinaryIO, int], Writer]] = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}


def _events(blocks: Iterable[bytes | memoryview]) -> Iterator[Any]:
    """The exported events in blocks of NDJSON, which end anywhere."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + bytes(block)).split(b"\n")
        yield from map(exported.decode_own, lines)


# --- pages -----------------------------------------------------------------------------------------


def _pages(
    condition: models.Q, last: UUID | None
) -> Iterator[tuple[int, Generator[bytes | memoryview, None, None], UUID]]:
    """For each page how many events it has, its NDJSON, and its last id; of events that were there at the start."""
    read = _copied if connection.vendor == "postgresql" else _encoded
    events = Event.objects.filter(condition).order_by("id")
    # Events that come in meanwhile are not waited for: under load there would be no end.
    end = events.values_list("id", flat=True).last()
    while last != end and end is not None:
        rest = events.filter(id__lte=end) if last is None else events.filter(id__lte=end, id__gt=last)
        upto = rest.values_list("id", flat=True)[PAGE - 1 : PAGE].first()
        page = rest if upto is None else rest.filter(id__lte=upto)
        yield PAGE if upto is not None else rest.count(), read(page), upto or end
        last = upto or end


def _copied(page: "models.QuerySet[Event]") -> Generator[bytes | memoryview, None, None]:
    names = [_by_id(Partner, "name"), _by_id(ApiKey, "prefix")]
    lines = page.annotate(line=RawSQL(_expression(), names)).values_list("line")  # noqa: S611
    text, parameters = lines.query.sql_with_params()
    with transaction.atomic(), connection.cursor() as cursor:
        # To compile the expression takes longer than it saves; and the rows are wanted in the order of an index,
        # where the planner, which does not know what the expression costs, would format them first and sort them then.
        for setting in ("jit = off", "enable_seqscan = off", "max_parallel_workers_per_gather = 0"):
            cursor.execute(f"SET LOCAL {setting}")
        with cursor.cursor.copy(_COPY.format(text), parameters) as blocks:
            yield from blocks


def _by_id(model: type[models.Model], name: str) -> str:
    """A JSON object with the name of each of our ids: cheaper for the database than to join every event to it."""
    return exported.encode(dict(model._default_manager.values_list("pk", name))).decode()


# Every row is one cell of CSV, whose quote and delimiter no JSON contains: it comes out as it is, a line of NDJSON.
_COPY = "COPY (SELECT line FROM ({}) AS page) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"


@cache
def _expression() -> str:
    """An event as JSON, for PostgreSQL. `concat` leaves out what is NULL, so absent columns are absent keys."""
    table = Event._meta.db_table
    pieces: list[str] = []
    for name in _COLUMNS:
        column = f'"{table}"."{name}"'
        form = _POSTGRESQL_FORMS.get(Event._meta.get_field(name).get_internal_type(), "to_json({})::text")
        key = f'{"," if pieces else "{"}"{exported.NAMES.get(name, name)}":'
        pieces.append(f"'{key}' || {form.format(column)}")
    return f"concat({', '.join(pieces)}, '}}')"


# How a value becomes JSON; `to_json` looks its type up for every value, and only a text needs that.
_POSTGRESQL_FORMS = {
    "UUIDField": "'\"' || {} || '\"'",
    "GenericIPAddressField": "'\"' || host({}) || '\"'",
    "JSONField": "{}::text",
    "FloatField": "{}::text",
    "BooleanField": "{}::text",
    "ForeignKey": "(%s::jsonb -> {}::text)::text",
}


def _encoded(page: "models.QuerySet[Event]") -> Generator[bytes | memoryview, None, None]:
    annotations: dict[str, Any] = {f"{name}_text": Cast(name, models.TextField()) for name in exported.JSON}
    annotations |= {"partner_name": models.F("partner__name"), "key_prefix": models.F("api_key__prefix")}
    event: Any
    for event in page.defer(*exported.JSON).annotate(**annotations).iterator(1000):
        columns = {name: getattr(event, name) for name in exported.FIELDS if name not in _OTHERWISE}
        columns |= {name: Raw(text.encode()) for name in exported.JSON if (text := getattr(event, f"{name}_text"))}
        columns |= {"id": str(event.id), "partner": event.partner_name, "api_key": event.key_prefix}
        yield exported.encode(exported.Exported(**columns)) + b"\n"


_OTHERWISE = {*exported.JSON, *exported.NAMES.values(), "id"}
