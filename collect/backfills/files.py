"""Files that a backfill makes: as confidential as the events in them."""

import os


def private(path: str, flags: int) -> int:
    """Open a file that, where it is new, only its owner may read; for `open(opener=…)`."""
    return os.open(path, flags, 0o600)
