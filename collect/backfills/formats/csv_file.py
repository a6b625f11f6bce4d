"""CSV in a file: rows, each of them a record, and the cells of an exported event."""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from collect.backfills.formats import cells
from collect.backfills.formats.records import MAX_RECORD_BYTES, Record, Unreadable, record, unreadable_row

# A cell may hold the params of a whole event.
csv.field_size_limit(MAX_RECORD_BYTES)
_DELIMITERS = (",", ";", "\t", "|")
_SAID = re.compile(r"sep=(.)\r?\n")
# Makes of the names of the columns what makes JSON of a row. Raises ValueError for names that will not do.
Table = Callable[[Sequence[str]], Callable[[Sequence[str]], bytes]]


def records(plain: io.BufferedReader, table: Table = cells.FromCsv) -> Iterator[Record]:
    """Yield the rows. Raises `Unreadable` where the first line does not name the columns, and for an endless line."""
    # A byte that is no UTF-8 becomes half a surrogate, and its row is refused; the others stay readable.
    text = io.TextIOWrapper(plain, "utf-8", errors="surrogateescape", newline="")
    try:
        yield from _Rows(text, table)
    finally:
        text.detach()  # else it would close the file with itself


def mended(line: int, row: bytes, lines: int, header: str) -> Record:
    """Return the record of a row that could not be read before, and has been mended or not."""
    found = list(_Rows(io.StringIO(f"{header}\n{row.decode()}", newline="")))
    if len(found) == 1:
        return msgspec.structs.replace(found[0], line=line, lines=lines)
    return unreadable_row(line, f"{len(found)} rows, where one is expected", row, lines, header)


class _Lines:
    """The lines of a text, of which some can be given back."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self._given_back: deque[str] = deque()
        self.read = 0
        # The lines of the record that is being read, as they stand in the file.
        self.of_record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else self._text.readline(MAX_RECORD_BYTES)
        if not line:
            raise StopIteration
        if len(line) == MAX_RECORD_BYTES and not line.endswith("\n"):
            raise Unreadable(f"a line has more than {MAX_RECORD_BYTES} characters: is it CSV?")
        self.read += 1
        self.of_record.append(line)
        return line

    def give_back(self, kept: int = 1) -> None:
        """Give back all lines of the record but the first, or of `kept`."""
        back = self.of_record[kept:]
        del self.of_record[kept:]
        self._given_back.extendleft(reversed(back))
        self.read -= len(back)


class _Rows:
    """The rows of a file as records.

    Where a quote is not closed, or is closed by that of another row, reading goes on at the line behind the one where
    the row began.
    """

    def __init__(self, text: io.TextIOBase, table: Table = cells.FromCsv) -> None:
        self._lines = _Lines(text)
        self._table = table

    def __iter__(self) -> Iterator[Record]:
        self._delimiter = _delimiter(self._lines)
        rows = csv.reader(self._lines, strict=True, delimiter=self._delimiter)
        try:
            names = next(rows, [])
            convert = self._table(names)
        except (csv.Error, ValueError) as error:
            raise Unreadable(f"the first line must name the columns: {error}") from None
        header = "".join(self._lines.of_record).rstrip("\r\n")
        while True:
            line = self._lines.read + 1
            self._lines.of_record.clear()
            try:
                row = next(rows)
                if not any(row):
                    continue
                body = convert(row)
            except StopIteration:
                return
            except (csv.Error, ValueError) as error:
                yield self._broken(line, error, header, len(names))
            else:
                yield record(line, body, len(self._lines.of_record))

    def _broken(self, line: int, error: Exception, header: str, width: int) -> Record:
        lines = self._lines.of_record
        if isinstance(error, csv.Error) or any(self._is_row(later, width) for later in lines[1:]):
            self._lines.give_back()
        kept = "".join(lines)[:MAX_RECORD_BYTES].encode("utf-8", "surrogateescape")
        return unreadable_row(line, _why(error), kept, len(lines), header)

    def _is_row(self, line: str, width: int) -> bool:
        """Tell whether the line is a row by itself, and not the end of one."""
        try:
            (row,) = csv.reader([line], strict=True, delimiter=self._delimiter)
        except (csv.Error, ValueError):
            return False
        return line.count('"') % 2 == 0 and len(row) == width


def _delimiter(lines: _Lines) -> str:
    """Return the delimiter by which the first line names `event_name`; a line `sep=;` of Excel is left behind."""
    first = next(lines, "")
    if said := _SAID.fullmatch(first):
        lines.of_record.clear()
        return said[1]
    lines.give_back(0)
    for delimiter in _DELIMITERS:
        with suppress(csv.Error):
            if "event_name" in (name.strip() for row in csv.reader([first], delimiter=delimiter) for name in row):
                return delimiter
    return max(_DELIMITERS, key=first.count)


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        byte = ord(error.object[error.start]) & 0xFF
        return f"byte 0x{byte:02x} is not UTF-8, as which the file has to be saved"
    if "unexpected end of data" in str(error):
        return "a quote is not closed"
    if "expected after" in str(error):
        return "text follows a closing quote, or a quote is not closed"
    return str(error)
