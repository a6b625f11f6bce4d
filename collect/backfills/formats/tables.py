"""Records as rows of a table: CSV and Parquet, read and written.

A table has no absent fields and no nesting: an empty cell is an absent field, and the column `params.x` is the key `x`
of `params`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import msgspec
from msgspec import Raw

from collect.backfills.formats import exported

NESTED = ("params", "consent")
_INNER = tuple(f"{name}." for name in NESTED)
# Cells of these columns are JSON if they can be parsed as JSON. Cells of all others are text, even digits.
LITERALS = {"timestamp", "received_at", "is_test", "tag_derived", "geo_lat", "geo_lon", "ua_is_bot", *exported.JSON}
# Beginnings that a spreadsheet takes for a formula (OWASP, CSV injection), and the quote that we put before them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
# Rows that are read at a time, and the size in bytes above which they are converted one by one.
_PARQUET_ROWS, _PARQUET_BYTES = 8, 1024 * 1024

_encode = msgspec.json.encode


class FromCsv:
    """Turns rows of cells into JSON.

    Raises ValueError for a header without `event_name`, with an empty or repeated name, or with both `params` and
    `params.x`.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._names = [name.strip() for name in header]
        if not all(self._names):
            raise ValueError("a column has no name")
        if twice := {name for name in self._names if self._names.count(name) > 1}:
            raise ValueError(f"{', '.join(sorted(twice))} twice")
        if "event_name" not in self._names:
            raise ValueError("there is no event_name")
        if both := {name.partition(".")[0] for name in self._names if name.startswith(_INNER)} & set(self._names):
            raise ValueError(f"{', '.join(sorted(both))} stands beside columns of its keys")
        # In our own exports a text that looks like a formula has a quote in front.
        self._is_export = {"id", "partner", *exported.JSON} <= set(self._names)

    def __call__(self, cells: Sequence[str]) -> bytes:
        """Return the row as a JSON object. Raises ValueError for a row of another width, or one that is not UTF-8."""
        if len(cells) != len(self._names):
            raise ValueError(f"{len(cells)} cells, where the first line names {len(self._names)} columns")
        return _object(
            (name, self._value(name, cell)) for name, cell in zip(self._names, cells, strict=True) if cell != ""
        )

    def _value(self, name: str, cell: str) -> bytes:
        if name in LITERALS or name.partition(".")[0] in NESTED:
            return _literal(cell)
        return _encode(cell.removeprefix("'") if self._is_export else cell)


def _literal(cell: str) -> bytes:
    """Return the cell as it is if it is JSON, else as a JSON string."""
    raw = cell.encode()
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return _encode(cell)
    return raw if raw == raw.strip() else _encode(cell)


def _object(pairs: "Iterator[tuple[str, bytes]]") -> bytes:
    fields: dict[str, Raw] = {}
    nested: dict[str, dict[str, Raw]] = {}
    for name, value in pairs:
        outer, _, inner = name.partition(".")
        if inner and outer in NESTED:
            nested.setdefault(outer, {})[inner] = Raw(value)
        else:
            fields[name] = Raw(value)
    return _encode(fields | {name: Raw(_encode(keys)) for name, keys in nested.items()})


def to_csv(event: Any) -> list[str]:
    """Return the cells of an exported event, in the order of `exported.FIELDS`."""
    return [_cell(getattr(event, name)) for name in exported.FIELDS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if not value or value.startswith(_FORMULA) else value
    return bytes(value).decode() if isinstance(value, Raw) else _encode(value).decode().strip('"')


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
    return _object((name, _arrow(name, value)) for name, value in row.items() if value is not None)


def _alone(batch: Any) -> bytes | Exception:
    """Return the only row of the batch as JSON, or its error: nanoseconds, a text or a type that JSON cannot hold."""
    try:
        (row,) = batch.to_pylist()
        return _from_arrow(row)
    except (TypeError, ValueError) as error:
        return error


def _arrow(name: str, value: Any) -> bytes:
    return _literal(value) if isinstance(value, str) and name in exported.JSON else _encode(value)


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
