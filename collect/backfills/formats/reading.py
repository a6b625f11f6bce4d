"""Records out of a file: NDJSON, JSON, CSV or Parquet, plain or compressed. Nothing is held but one record.

A record that is broken is one record; only what makes the rest unreadable ends the file (`Unreadable`).
"""

import io
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import BinaryIO

from collect.backfills.formats import cells, csv_file, json_file, packing, sniffing, tables
from collect.backfills.formats.records import Record, Unreadable

FORMATS = ("ndjson", "json", "csv", "parquet")
_Reader = Callable[[io.BufferedReader], Iterator[Record]]


class RecordFile:
    """One opened file: its records, and how much of it has been read."""

    def __init__(self, path: str, file: BinaryIO, size: int | None) -> None:
        self.path = path
        self._file = file
        self._size = size

    def stamp(self) -> tuple[int, int]:
        """What tells the file from a later one of its name: its size, and when it was changed, in nanoseconds."""
        stat = os.fstat(self._file.fileno())
        return stat.st_size, stat.st_mtime_ns

    def read_fraction(self) -> float | None:
        """How much of the file was read, 0 to 1; None where its size is unknown."""
        return min(1.0, self._file.tell() / self._size) if self._size else None

    def records(self, format: str | None) -> Iterator[Record]:
        """The records, of `format` or of what the file looks like. Raises `Unreadable`."""
        return self._read(format, _OF_EVENTS)

    def rows(self, format: str | None) -> Generator[Record, None, None]:
        """The records of a file that is no file of events: any columns will do. Raises `Unreadable`.

        Cells of CSV are texts, and an empty one is null. Whoever stops early closes it before the file.
        """
        return self._read(format, _OF_ANYTHING)

    def _read(self, format: str | None, readers: Mapping[str, _Reader]) -> Generator[Record, None, None]:
        try:
            plain = sniffing.as_utf8(packing.unpacked(self._file))
            yield from readers[format or sniffing.format_of(self.path, plain)](plain)
        except packing.Damaged as error:
            raise Unreadable(f"{self.path}: the compressed file is cut off or damaged ({error})") from None
        except (OSError, Unreadable) as error:
            raise Unreadable(f"{self.path}: {error}") from None


def _parquet(plain: io.BufferedReader) -> Iterator[Record]:
    from collect.backfills.formats import parquet_file  # noqa: PLC0415  # needs 50 MiB

    return parquet_file.records(plain)


def _any_parquet(plain: io.BufferedReader) -> Iterator[Record]:
    from collect.backfills.formats import parquet_file  # noqa: PLC0415  # needs 50 MiB

    return parquet_file.records(plain, tables.check_once)


def _any_csv(plain: io.BufferedReader) -> Iterator[Record]:
    return csv_file.records(plain, cells.FromAnyCsv)


_OF_EVENTS: dict[str, _Reader] = {
    "ndjson": json_file.ndjson, "json": json_file.elements, "csv": csv_file.records, "parquet": _parquet,
}  # fmt: skip
_OF_ANYTHING: dict[str, _Reader] = {**_OF_EVENTS, "csv": _any_csv, "parquet": _any_parquet}
