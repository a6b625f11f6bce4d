"""Parquet: rows of a file as JSON, and exported events as a file."""

from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec
from msgspec import Raw

from collect.backfills.formats import exported, tables

# Rows that are read at a time, and the size in bytes above which they are converted one by one.
_PARQUET_ROWS, _PARQUET_BYTES = 8, 1024 * 1024

_encode = msgspec.json.encode


def from_parquet(file: IO[bytes]) -> Iterator[bytes | Exception]:
    """Yield each row of a Parquet file as JSON, or the error of a row that has no such form.

    Raises OSError where the file cannot be read.
    """
    import pyarrow  # noqa: PLC0415  # 50 MiB that only a Parquet file needs
    import pyarrow.parquet  # noqa: PLC0415

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # pyarrow's own pool keeps what it once had
    try:
        table = pyarrow.parquet.ParquetFile(
            file, coerce_int96_timestamp_unit="us", pre_buffer=False, buffer_size=64 * 1024
        )
        for batch in table.iter_batches(_PARQUET_ROWS, use_threads=False):
            yield from _together(batch) or (_alone(batch.slice(number, 1)) for number in range(batch.num_rows))
    except pyarrow.ArrowException as error:
        raise OSError(str(error)) from None


def _together(batch: Any) -> list[bytes]:
    """Return the rows of the batch as JSON. Return none if they are too large or one is broken: each is tried alone."""
    if batch.nbytes > _PARQUET_BYTES:
        return []
    try:
        return [_from_arrow(row) for row in batch.to_pylist()]
    except (TypeError, ValueError):
        return []


def _from_arrow(row: dict[str, Any]) -> bytes:
    return tables.as_object((name, _arrow(name, value)) for name, value in row.items() if value is not None)


def _alone(batch: Any) -> bytes | Exception:
    """Return the only row of the batch as JSON, or its error: nanoseconds, a text or a type that JSON cannot hold."""
    try:
        (row,) = batch.to_pylist()
        return _from_arrow(row)
    except (TypeError, ValueError) as error:
        return error


def _arrow(name: str, value: Any) -> bytes:
    return tables.literal(value) if isinstance(value, str) and name in exported.JSON else _encode(value)


def parquet_writer(file: IO[bytes]) -> "tuple[Callable[[list[Any]], None], Callable[[], None]]":
    """Return two functions: one writes exported events as a row group, the other ends the file."""
    import pyarrow  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    schema = pyarrow.schema([(name, _arrow_type(name)) for name in exported.FIELDS])
    writer = pyarrow.parquet.ParquetWriter(file, schema, compression="zstd")

    def write(events: list[Any]) -> None:
        rows = [{name: _plain(getattr(event, name)) for name in exported.FIELDS} for event in events]
        writer.write_table(pyarrow.Table.from_pylist(rows, schema))

    return write, writer.close


def _plain(value: Any) -> Any:
    return bytes(value).decode() if isinstance(value, Raw) else value


def _arrow_type(name: str) -> Any:
    import pyarrow  # noqa: PLC0415

    if name in ("received_at", "timestamp"):
        return pyarrow.timestamp("us", "UTC")
    if name in ("is_test", "tag_derived", "ua_is_bot"):
        return pyarrow.bool_()
    return pyarrow.float64() if name in ("geo_lat", "geo_lon") else pyarrow.string()
