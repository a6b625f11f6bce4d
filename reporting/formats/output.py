"""A rendered answer in a file, which is there only once it is whole."""

import os
from pathlib import Path

from collect.backfills.run import is_stream, private


def write(content: bytes, out: str) -> None:
    """Write the content to a file that only its owner can read; an older one stays until then. Raises OSError."""
    if is_stream(out):
        Path(out).write_bytes(content)
        return
    # With the number of the process: two that write the same report at a time do not write into one file.
    part = Path(f"{out}.{os.getpid()}.part")
    try:
        with open(part, "wb", opener=private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
