"""What a worker process starts once it has forked; gunicorn.conf.py calls it."""

import gc

from collect.backfills import pruning
from collect.enrichment import user_agent
from collect.storage import drain, ingest, spool
from keys import housekeeping

# Python looks for cycles after 700 new objects, which a single request makes; they are rare here.
GC_THRESHOLD = 20_000


def start() -> None:
    """Start the threads of a worker: fresh keys, shared commits, the way out of the spool, and the pruning."""
    housekeeping.thread.start()
    ingest.start()
    pruning.thread.start()
    if spool.is_enabled():
        spool.prepare()
        drain.thread.start()
    # The rules for user agents are built at the first use, in a tenth of a second that no event should wait for.
    user_agent.parse("curl/8")
    # What is loaded by now stays: the collector need not look through it again and again, in the middle of requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
