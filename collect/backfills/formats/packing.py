"""Compressed files, in and out: gzip and zstd. A file is recognised by how it begins, and made by its name."""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIXES = (".gz", ".zst")
# What a compressed file that is cut off or damaged raises when it is read.
Damaged = (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError)

_GZIP = b"\x1f\x8b"
# A frame, or a skippable one, with which some tools begin a file (RFC 8878, section 3.1).
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
_BUFFER = 256 * 1024


def unpacked(file: BinaryIO) -> io.BufferedReader:
    """Return the content of a file that may be compressed. Reading it may raise one of `Damaged`."""
    buffered = cast(io.BufferedReader, file if hasattr(file, "peek") else io.BufferedReader(cast(io.RawIOBase, file)))
    start = buffered.peek(4)
    if start.startswith(_GZIP):
        return io.BufferedReader(_Eager(gzip.GzipFile(fileobj=buffered)), _BUFFER)
    if _ZSTD.match(start):
        return io.BufferedReader(_Eager(zstd.ZstdFile(buffered)), _BUFFER)
    return buffered


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
