"""Compressed files: gzip and zstd in and out, and bzip2, xz and zip in. They are recognised by how they begin.

Those that are made are told by their names.
"""

import bz2
import gzip
import io
import lzma
import re
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from collect.backfills.formats.records import Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIXES = (".gz", ".zst", ".bz2", ".xz", ".zip")
# What a compressed file that is cut off or damaged raises when it is read.
Damaged = (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError, lzma.LZMAError, zipfile.BadZipFile)

_GZIP, _BZIP2, _XZ, _ZIP = b"\x1f\x8b", re.compile(rb"BZh[1-9]1AY&SY"), b"\xfd7zXZ\x00", b"PK\x03\x04"
# A frame, or a skippable one, with which some tools begin a file (RFC 8878, section 3.1).
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
_BUFFER = 256 * 1024


def unpacked(file: BinaryIO) -> io.BufferedReader:
    """Return the content of a file that may be compressed. Reading it may raise one of `Damaged`.

    Raises `Unreadable` for an archive of which the file to read cannot be told.
    """
    buffered = cast(io.BufferedReader, file if hasattr(file, "peek") else io.BufferedReader(cast(io.RawIOBase, file)))
    start = buffered.peek(16)
    if start.startswith(_GZIP):
        plain: Any = gzip.GzipFile(fileobj=buffered)
    elif _ZSTD.match(start):
        plain = zstd.ZstdFile(buffered)
    elif _BZIP2.match(start):
        plain = bz2.BZ2File(buffered)
    elif start.startswith(_XZ):
        plain = lzma.LZMAFile(buffered)  # noqa: SIM115  # whoever reads it closes it
    elif start.startswith(_ZIP):
        plain = _only_member(buffered)
    else:
        return buffered
    return io.BufferedReader(_Eager(plain), _BUFFER)


def _only_member(file: io.BufferedReader) -> Any:
    """Return the only file in a zip. Raises `Unreadable` if there are others, or it is a spreadsheet's own format."""
    if not file.seekable():
        raise Unreadable("this is a zip, which cannot be read from a pipe: unpack it first")
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if "[Content_Types].xml" in names or "content.xml" in names:
        raise Unreadable("this is a workbook of Excel or LibreOffice: save its sheet as CSV (UTF-8)")
    # macOS puts its own files beside those that were meant.
    meant = [name for name in names if not name.startswith("__MACOSX/") and not name.endswith("/.DS_Store")]
    if len(meant) != 1:
        raise Unreadable(f"this is a zip of {len(meant)} files ({', '.join(meant[:5])}): unpack it first")
    try:
        return archive.open(meant[0])
    except (RuntimeError, NotImplementedError) as error:  # with a password, or by a method that is not known here
        raise Unreadable(f"this is a zip that cannot be read ({error}): unpack it first") from None


class _Eager(io.RawIOBase):
    """Hands out what one read of a compressed file gives.

    Reading on until a buffer is full would raise for damage before the good content in front of it is handed out.
    """

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file

    def readable(self) -> bool:
        """Return True: it is there to be read."""
        return True

    def readinto(self, target: "bytearray | memoryview") -> int:  # type: ignore[override]  # of the same kinds of buffer
        """Read once into `target`, and return how many bytes came."""
        return self._file.readinto1(target)


def packer(name: str) -> Callable[[BinaryIO], Any] | None:
    """Return what makes of an open file one that compresses, by the name of the file; None where it does not."""
    if name.endswith(".gz"):
        # Without a time and a name, so that equal events are equal bytes.
        return lambda plain: gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=6, mtime=0, filename="")
    if name.endswith(".zst"):
        return lambda plain: zstd.ZstdFile(plain, "w")
    return None
