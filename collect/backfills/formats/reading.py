"""Records out of a file: NDJSON, JSON, CSV or Parquet; plain, gzip or zstd. Nothing is held but one record.

A record that is broken is one record; only what makes the rest unreadable ends the file (`Unreadable`).
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from collect.backfills.formats import csv_file, json_file, packing
from collect.backfills.formats.records import Record, Unreadable

FORMATS = ("ndjson", "json", "csv", "parquet")
_SUFFIXES = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
_PARQUET, _BOM = b"PAR1", b"\xef\xbb\xbf"


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
        try:
            plain = _plain(self._file)
            yield from _READERS[format or _guess(self.path, plain)](plain)
        except packing.Damaged as error:
            raise Unreadable(f"{self.path}: the compressed file is cut off or damaged ({error})") from None
        except (OSError, Unreadable) as error:
            raise Unreadable(f"{self.path}: {error}") from None


def _plain(file: BinaryIO) -> io.BufferedReader:
    """Return the content without compression, and without a byte order mark."""
    plain = packing.unpacked(file)
    if plain.peek(3).startswith(_BOM):
        plain.read(3)
    return plain


def _guess(path: str, plain: io.BufferedReader) -> str:
    suffixes = [suffix for suffix in Path(path).suffixes if suffix not in packing.SUFFIXES]
    if suffixes and (by_name := _SUFFIXES.get(suffixes[-1])):
        return by_name
    start = plain.peek(4096)[:4096]
    if start.startswith(_PARQUET):
        return "parquet"
    if json_file.is_one(start):
        return "json"
    return "ndjson" if start.lstrip().startswith(b"{") else "csv"


def _parquet(plain: io.BufferedReader) -> Iterator[Record]:
    from collect.backfills.formats import parquet_file  # noqa: PLC0415  # needs 50 MiB

    return parquet_file.records(plain)


_READERS = {"ndjson": json_file.ndjson, "json": json_file.elements, "csv": csv_file.records, "parquet": _parquet}
