"""Records out of a file: NDJSON, a JSON array, CSV or Parquet; plain, gzip or zstd. Nothing is held but one record.

A record that is broken is one record; only what makes the rest unreadable ends the file (`Unreadable`).
"""

import csv
import io
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from collect.backfills.formats import packing, tables
from collect.intake import contract
from runtime.refusals import Code, Refusal

FORMATS = ("ndjson", "json", "csv", "parquet")
_SUFFIXES = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
_PARQUET, _BOM = b"PAR1", b"\xef\xbb\xbf"
_CHUNK = 256 * 1024
# An exported event is longer than it was sent: our columns, spaces in its JSON, numbers without exponents.
MAX_RECORD_BYTES = 8 * contract.MAX_BODY_BYTES
# A cell may hold the params of a whole event.
csv.field_size_limit(MAX_RECORD_BYTES)


class Unreadable(Exception):  # noqa: N818  # said to people as it is
    """The rest of a file cannot be read."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as JSON, and the line it begins in; or why there is none (`body` is then what can be shown)."""

    line: int
    body: bytes
    fault: Refusal | None = None


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
        except OSError as error:
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
    return {b"[": "json", b"{": "ndjson"}.get(start.lstrip()[:1], "csv")


def too_large(limit: int) -> Refusal:
    """The refusal of a record of more than `limit` bytes."""
    return Refusal(Code.TOO_LARGE, f"An event may have {limit} bytes at most")


def _record(line: int, body: bytes) -> Record:
    if len(body) > MAX_RECORD_BYTES:
        return Record(line, body[:1000], too_large(MAX_RECORD_BYTES))
    return Record(line, body)


# --- NDJSON ----------------------------------------------------------------------------------------


def _ndjson(plain: io.BufferedReader) -> Iterator[Record]:
    limit = MAX_RECORD_BYTES + 2
    number = 0
    while line := plain.readline(limit):
        number += 1
        if len(line) == limit and not line.endswith(b"\n"):
            while (rest := plain.readline(limit)) and not rest.endswith(b"\n"):
                pass
            yield Record(number, line[:1000], too_large(MAX_RECORD_BYTES))
        elif body := line.strip():
            yield Record(number, body)


# --- a JSON array ----------------------------------------------------------------------------------

# A string that ends, one that does not yet, a bracket, a comma, or a line.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|"|[\[{]|[\]}]|[,\n]', re.DOTALL)


class _Elements:
    """The elements of an array, cut out by their brackets and quotes alone: a broken one does not end the file."""

    def __init__(self, plain: io.BufferedReader) -> None:
        self._plain = plain
        self._line = 1
        # Where the element begins; None until something of it was seen.
        self._first_line: int | None = None
        self._depth = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._is_closed = False

    def __iter__(self) -> Iterator[Record]:
        start = self._plain.read(1)
        while start and start.isspace():
            self._line += start == b"\n"
            start = self._plain.read(1)
        if start != b"[":
            raise Unreadable("not a JSON array: it does not begin with [")
        tail = b""
        while not self._is_closed and (chunk := self._plain.read(_CHUNK)):
            tail = yield from self._scan(tail + chunk)
        while self._is_closed and not tail.strip() and (chunk := self._plain.read(_CHUNK)):
            tail = chunk
        if self._is_closed and tail.strip():
            raise Unreadable(f"there is more behind the ] in line {self._line}: is it NDJSON, or two files in one?")
        if not self._is_closed:
            yield from self._element()
            raise Unreadable(f"the JSON array is cut off: it has no ] (it ends in line {self._line})")

    def _scan(self, text: bytes) -> Generator[Record, None, bytes]:
        """Yields the elements that end in `text`; returns what of it has to be seen again with what follows."""
        kept = 0
        for match in _TOKEN.finditer(text):
            token = match[0]
            if token == b'"':
                # Its end has not come: unless it is far away, all of it is looked at again.
                self._keep(text[kept : match.start()])
                return self._unfinished(text[match.start() :])
            if self._first_line is None and token != b"\n":
                self._first_line = self._line
            self._line += token.count(b"\n")
            if token in (b"[", b"{"):
                self._depth += 1
            elif token in (b"]", b"}") and self._depth:
                self._depth -= 1
            elif token in (b",", b"]", b"}") and not self._depth:
                self._keep(text[kept : match.start()])
                kept = match.end()
                yield from self._element()
                if token == b"]":
                    self._is_closed = True
                    return text[kept:]
        self._keep(text[kept:])
        return b""

    def _unfinished(self, string: bytes) -> bytes:
        if len(string) <= MAX_RECORD_BYTES:
            return string
        # Too large whatever follows; half an escape at its end must not be torn from its other half.
        self._size += len(string)
        backslashes = len(string) - len(string.rstrip(b"\\"))
        return b'"' + b"\\" * (backslashes % 2)

    def _keep(self, part: bytes) -> None:
        if not self._parts:
            part = part.lstrip()
        self._size += len(part)
        if part and self._size <= MAX_RECORD_BYTES:
            self._parts.append(part)

    def _element(self) -> Iterator[Record]:
        body, size, line = b"".join(self._parts).strip(), self._size, self._first_line or self._line
        self._parts, self._size, self._first_line = [], 0, None
        if size > MAX_RECORD_BYTES:
            yield Record(line, body[:1000], too_large(MAX_RECORD_BYTES))
        elif body:
            yield Record(line, body)


def _array(plain: io.BufferedReader) -> Iterator[Record]:
    return iter(_Elements(plain))


# --- tables ----------------------------------------------------------------------------------------


def _csv(plain: io.BufferedReader) -> Iterator[Record]:
    # A byte that is no UTF-8 becomes half a surrogate, and its row is refused; the others stay readable.
    text = io.TextIOWrapper(plain, "utf-8", errors="surrogateescape", newline="")
    try:
        yield from _rows(text)
    finally:
        text.detach()  # else it would close the file with itself


def _lines(text: io.TextIOWrapper, seen: list[str]) -> Iterator[str]:
    """The lines, which are put into `seen` as well."""
    while line := text.readline(MAX_RECORD_BYTES):
        if len(line) == MAX_RECORD_BYTES and not line.endswith("\n"):
            raise Unreadable(f"a line has more than {MAX_RECORD_BYTES} characters: is it CSV?")
        seen.append(line)
        yield line


def _rows(text: io.TextIOWrapper) -> Iterator[Record]:
    # As they stand in the file, for the rejects.
    lines: list[str] = []
    rows = csv.reader(_lines(text, lines), strict=True)
    try:
        convert = tables.FromCsv(next(rows, []))
    except (csv.Error, ValueError) as error:
        raise Unreadable(f"the first line must name the columns: {error}") from None
    while True:
        line = rows.line_num + 1
        lines.clear()
        try:
            cells = next(rows)
            if not cells:
                continue
            body = convert(cells)
        except StopIteration:
            return
        except (csv.Error, ValueError) as error:
            kept = "".join(lines)[:MAX_RECORD_BYTES].encode("utf-8", "surrogateescape")
            yield Record(line, kept, Refusal(Code.BAD_REQUEST, f"The row cannot be read: {error}"))
        else:
            yield _record(line, body)


def _parquet(plain: io.BufferedReader) -> Iterator[Record]:
    if not plain.seekable() or not isinstance(plain.raw, io.FileIO):
        raise Unreadable("Parquet must be a file that is not compressed again")
    for number, row in enumerate(tables.from_parquet(plain), 1):
        if isinstance(row, Exception):
            yield Record(number, b"", Refusal(Code.BAD_REQUEST, f"The row cannot be read: {row}"))
        else:
            yield _record(number, row)


_READERS = {"ndjson": _ndjson, "json": _array, "csv": _csv, "parquet": _parquet}
