"""A file that is there only once it is whole. Only its owner can read it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from collect.backfills.run import is_stream, private


@contextmanager
def whole(out: str) -> Iterator[BinaryIO]:
    """Open a file that takes its name when the block ends without an error; an older one stays until then.

    What is a stream, as a pipe, is written as it comes. Raises OSError.
    """
    if is_stream(out):
        with open(out, "wb") as stream:
            yield stream
        return
    # With the number of the process: two that write the same file at a time do not write into one.
    part = Path(f"{out}.{os.getpid()}.part")
    try:
        with open(part, "wb", opener=private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def write(content: bytes, out: str) -> None:
    """Write the content to a file. Raises OSError."""
    with whole(out) as file:
        file.write(content)
