"""What a file is, by its first bytes and its name; and a text of another encoding as UTF-8."""

import codecs
import io
from pathlib import Path

from collect.backfills.formats import json_file, packing
from collect.backfills.formats.records import Unreadable

_SUFFIXES = {
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}  # fmt: skip
_PARQUET = b"PAR1"
_LOOKED_AT = 4096

# How files begin that are not read here (at an offset), what they are, and what to do with them.
_UNPACK, _TO_CSV, _TO_PARQUET = "unpack it first", "save it as CSV (UTF-8)", "save it as Parquet"
_FOREIGN = (
    (0, b"\xd0\xcf\x11\xe0", "an Excel workbook", _TO_CSV),
    (0, b"ARROW1", "an Arrow or Feather file", _TO_PARQUET),
    (0, b"Obj\x01", "an Avro file", _TO_PARQUET),
    (0, b"ORC", "an ORC file", _TO_PARQUET),
    (0, b"SQLite format 3\x00", "an SQLite database", "export its table as CSV"),
    (8, b"DUCK", "a DuckDB database", _TO_PARQUET),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"\x1f\x9d", "a file of compress (.Z)", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "an lz4 file", _UNPACK),
    (0, b"\xff\x06\x00\x00sNaPpY", "a snappy file", _UNPACK),
    (0, b"PGDMP", "a dump of pg_dump", "export the table with COPY … TO … CSV HEADER"),
    (0, b"%PDF", "a PDF", _TO_CSV),
    (0, b"<", "XML or HTML", "is it a page that says why there was no file?"),
)

# UTF-32 before UTF-16, whose mark it begins with.
_MARKS = (
    (codecs.BOM_UTF8, None),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def as_utf8(plain: io.BufferedReader) -> io.BufferedReader:
    """Return a text in UTF-8 without a byte order mark, whatever Unicode encoding it has. Other files stay as they are.

    Reading it may raise `EOFError`, if it ends in the middle of a character.
    """
    start = plain.peek(4)[:4]
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            if encoding is not None:
                return io.BufferedReader(_Recoded(plain, encoding))
            plain.read(len(mark))
            return plain
    # Without a mark, a text of Latin letters shows by its zeros (RFC 4627, section 3).
    zeros = "".join("0" if byte == 0 else "x" for byte in start)
    encoding = {"x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(zeros)
    return plain if encoding is None else io.BufferedReader(_Recoded(plain, encoding))


class _Recoded(io.RawIOBase):
    """A text of another encoding in UTF-8. What it cannot hold stays no UTF-8, so that its record is refused."""

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def readable(self) -> bool:
        """Return True: it is there to be read."""
        return True

    def readinto(self, target: "bytearray | memoryview") -> int:  # type: ignore[override]  # of the same kinds of buffer
        """Read once into `target`, and return how many bytes came."""
        # Two bytes become three at most.
        size = max(4, len(target) // 2)
        text = ""
        while not text and (chunk := self._file.read1(size)):
            text = self._decode(chunk)
        text = text or self._decode(b"", is_last=True)
        recoded = text.encode("utf-8", "surrogatepass")
        target[: len(recoded)] = recoded
        return len(recoded)

    def _decode(self, chunk: bytes, *, is_last: bool = False) -> str:
        try:
            return self._decoder.decode(chunk, is_last)
        except UnicodeDecodeError as error:
            raise EOFError(str(error)) from None


def format_of(path: str, plain: io.BufferedReader) -> str:
    """Return the format of a file. Raises `Unreadable` for one that is not read here, and says what it is."""
    start = plain.peek(_LOOKED_AT)[:_LOOKED_AT]
    if start.startswith(_PARQUET):
        return "parquet"
    for offset, magic, what, advice in _FOREIGN:
        if start.startswith(magic, offset):
            raise Unreadable(f"this is {what}: {advice}")
    if json_file.is_one(start):
        return "json"
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in packing.SUFFIXES]
    by_name = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if start.lstrip().startswith(b"{"):
        return "ndjson"
    return by_name or ("csv" if start.strip() else "ndjson")
