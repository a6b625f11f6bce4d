"""Parquet: rows of a file as records, and exported events as a file. Import it late: it needs 50 MiB."""

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, NamedTuple

import msgspec
import pyarrow
import pyarrow.parquet
from msgspec import Raw

from collect.backfills.formats import arrow, exported, tables
from collect.backfills.formats.records import Record, Unreadable, record, unreadable_row

# The fewest and the most rows that are read at a time, and the size in bytes above which they are converted alone.
_FEW, _MANY, _BYTES = 8, 256, 1024 * 1024

# Rows of a group that is written, and the size in memory that ends it earlier.
GROUP_ROWS, GROUP_BYTES = 100_000, 64 * 1024 * 1024
# The index of a data frame of pandas that has no name.
_INDEX = re.compile(r"__index_level_\d+__")
# Characters that are shown of a cell at fault.
_SHOWN = 100
_encode = msgspec.json.encode
# pyarrow's own pool keeps what it once had.
pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def records(plain: io.BufferedReader, check: Callable[[Sequence[str]], None] = tables.check_names) -> Iterator[Record]:
    """Yield the rows; one that has no form in JSON is a record that says why.

    Raises `Unreadable` for a file that is no Parquet, or whose columns do not pass the check.
    """
    if not plain.seekable() or not isinstance(plain.raw, io.FileIO):
        raise Unreadable("Parquet must be a file that is not compressed again")
    try:
        file = pyarrow.parquet.ParquetFile(
            plain, coerce_int96_timestamp_unit="us", pre_buffer=False, buffer_size=64 * 1024
        )
        rows = _Rows(file.schema_arrow, check)
        batches = file.iter_batches(_rows_at_a_time(file.metadata), use_threads=False)
        for number, row in enumerate((row for batch in batches for row in rows.of(batch)), 1):
            if isinstance(row, bytes):
                yield record(number, row)
            else:
                yield unreadable_row(number, row.why, row.shown)
    except (pyarrow.ArrowException, ValueError) as error:
        raise Unreadable(str(error)) from None


def _rows_at_a_time(metadata: Any) -> int:
    """Return how many rows of this file are about a MiB."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    of_a_row = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=1)
    return min(_MANY, max(_FEW, _BYTES // max(1, of_a_row)))


class _Rows:
    """Turns rows of a file with this schema into JSON. Raises what the check of its columns does."""

    def __init__(self, all_columns: Any, check: Callable[[Sequence[str]], None]) -> None:
        schema = pyarrow.schema([field for field in all_columns if not _INDEX.fullmatch(field.name)])
        check(schema.names)
        self._is_export = tables.is_export(schema.names)
        self._shapes = {field.name: _shape(field, is_export=self._is_export) for field in schema}
        self._schema = pyarrow.schema([field.with_type(arrow.as_numbers(field.type)) for field in schema])
        self._is_cast = self._schema != all_columns

    def of(self, batch: Any) -> "Iterator[bytes | _Broken]":
        """Yield each row, or why it has no form in JSON."""
        if self._is_cast:
            batch = batch.select(self._schema.names).cast(self._schema)
        yield from self._together(batch) or (self._alone(batch.slice(number, 1)) for number in range(batch.num_rows))

    def _together(self, batch: Any) -> list[bytes]:
        """Return the rows. Return none if they are too large or one is broken: each is tried alone."""
        if batch.nbytes > _BYTES:
            return []
        try:
            rows = batch.to_pylist(maps_as_pydicts="strict")
            return [
                tables.as_object((name, self._cell(name, cell)) for name, cell in row.items() if cell is not None)
                for row in rows
            ]
        except (TypeError, ValueError, KeyError):
            return []

    def _alone(self, batch: Any) -> "bytes | _Broken":
        """Return the only row of the batch, cell by cell."""
        cells, faults = {}, []
        for name in self._schema.names:
            shown = "no UTF-8"
            try:
                (cell,) = batch.column(name).to_pylist(maps_as_pydicts="strict")
                shown = str(cell)[:_SHOWN]
                if cell is not None:
                    cells[name] = self._cell(name, cell)
            except (TypeError, ValueError, KeyError) as error:
                faults.append(f"{name}: {error}")
                cells[name] = f"<{shown}>".encode()
        row = tables.as_object(cells.items())
        return _Broken("; ".join(faults), row) if faults else row

    def _cell(self, name: str, value: Any) -> bytes:
        shaped = self._shapes[name](value)
        if name in tables.BOOLEANS:
            return tables.boolean(str(shaped))
        if name in exported.MOMENTS and (self._is_export or isinstance(shaped, str)):
            return tables.moment(str(shaped), name, is_exported=self._is_export)
        if not isinstance(shaped, str):
            return _encode(shaped)
        return tables.literal(shaped) if name in exported.JSON else _encode(shaped)


class _Broken(NamedTuple):
    """A row that JSON cannot hold, and the row with the cells at fault in <>, which is no JSON until it is mended."""

    why: str
    shown: bytes


def _shape(field: Any, *, is_export: bool) -> arrow.Shape:
    if field.name == "received_at" or (field.name == "timestamp" and is_export):
        return arrow.moment(field.type, as_text=True)
    if field.name == "timestamp":
        return arrow.moment(field.type, as_text=False)
    extension = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
    return arrow.unknown(extension, field.type) if extension else arrow.shape(field.type)


# --- writing ---------------------------------------------------------------------------------------


class Writer:
    """Writes exported events into row groups of `GROUP_ROWS`, or of `GROUP_BYTES` if they are large.

    A reader of the file works on one row group at a time, and small ones make it slow. A group is gathered as tables
    of Arrow, which need little more memory than its texts.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._schema = pyarrow.schema([(name, _arrow_type(name)) for name in exported.FIELDS])
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._gathered: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, lines: Iterable[bytes]) -> None:
        """Write the events in the lines, each of which was exported a moment ago."""
        some: list[Any] = []
        size = 0
        for line in lines:
            some.append(exported.decode_own(line))
            size += len(line)
            if size > _BYTES or self._rows + len(some) == GROUP_ROWS:
                self._gather(some)
                some, size = [], 0
        if some:
            self._gather(some)

    def finish(self) -> None:
        """Write the last row group, and the end of the file."""
        self._write_group()
        self._writer.close()

    def _gather(self, events: list[Any]) -> None:
        rows = [{name: _plain(getattr(event, name)) for name in exported.FIELDS} for event in events]
        table = pyarrow.Table.from_pylist(rows, self._schema)
        self._gathered.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows == GROUP_ROWS or self._bytes > GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if self._gathered:
            self._writer.write_table(pyarrow.concat_tables(self._gathered), row_group_size=GROUP_ROWS)
        self._gathered = []
        self._rows = self._bytes = 0


def _plain(value: Any) -> Any:
    return bytes(value).decode() if isinstance(value, Raw) else value


def _arrow_type(name: str) -> Any:
    if name in exported.MOMENTS:
        return pyarrow.timestamp("us", "UTC")
    if name in tables.BOOLEANS:
        return pyarrow.bool_()
    return pyarrow.float64() if name in tables.NUMBERS else pyarrow.string()
