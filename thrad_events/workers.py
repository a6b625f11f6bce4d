"""Starts what a worker process needs once it has forked; gunicorn.conf.py calls it."""

import gc
import logging
from contextlib import ExitStack

from collect.backfills import pruning
from collect.captures import keeping as captures
from collect.enrichment import user_agent
from collect.mending import runner
from collect.search import indexer
from collect.storage import drain, ingest, spool
from collect.storage.ledger import writing as ledger
from keys import directory, housekeeping, limits
from reporting.rollups import thread as rollup
from reporting.runs import thread as reports
from runtime import metrics

logger = logging.getLogger(__name__)

# By default Python looks for cycles after 700 new objects, as many as a single request makes. Cycles are rare here.
GC_THRESHOLD = 20_000


def start() -> None:
    """Start the threads of a worker."""
    limits.prepare()
    if spool.is_enabled():
        _prepare_spool()
        # Before the first request, and before the database is asked: it may be away.
        directory.keep_in(spool)
        drain.thread.start()
    ingest.start()
    ledger.start()
    for periodic in (metrics, housekeeping, pruning, runner, captures, indexer, rollup, reports):
        periodic.thread.start()
    # The rules for user agents are built at the first use, in a tenth of a second that no event should wait for.
    user_agent.parse("curl/8")
    # What is loaded by now stays, so the collector need not look through it again and again in the middle of requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def stop() -> None:
    """Write down what a worker has counted and captured. Call it when its last request has been answered."""
    with ExitStack() as last:
        # Also if something before fails, and in this order from below.
        last.callback(metrics.publish)
        last.callback(captures.stop)
        ledger.stop()


def _prepare_spool() -> None:
    """Make the directory of the spool. Without one the server takes events as long as the database does."""
    try:
        spool.prepare()
    except OSError as error:
        logger.warning("SPOOL_PATH cannot be used", extra={"reason": str(error)})
