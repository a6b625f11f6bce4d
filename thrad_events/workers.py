"""What a worker process starts once it has forked; gunicorn.conf.py calls it."""

from collect import ingest
from keys import housekeeping


def start() -> None:
    """Start the threads of a worker: fresh keys, and shared commits."""
    housekeeping.start()
    ingest.start()
