"""Deletes the events of test keys once they are old. Nothing else that was sent is ever deleted by itself."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import Error, connection

from collect.models import Event
from runtime.hub import off_the_hub

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 3600.0
# After a start, when there is enough to do.
FIRST_SECONDS = 60.0
# Rows of a transaction, few enough that nobody waits for their locks; and the pause between two of them.
STEP = 1_000
PAUSE_SECONDS = 0.1


def prune_test_events() -> int:
    """Delete the test events that came in more than `TEST_EVENTS_DAYS` ago; how many. Raises `django.db.Error`."""
    if not settings.TEST_EVENTS_DAYS:
        return 0
    before = datetime.now(UTC) - timedelta(days=settings.TEST_EVENTS_DAYS)
    pruned = 0
    while step := _delete(before):
        pruned += step
        time.sleep(PAUSE_SECONDS)
    return pruned


def _delete(before: datetime) -> int:
    old = Event.objects.filter(is_test=True, received_at__lt=before).order_by("received_at")
    return Event.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:STEP])).delete()[0]


def start() -> None:
    """Start the thread, one a worker; two that delete at a time only find less to do."""
    threading.Thread(target=_run, name="prune", daemon=True).start()


def _run() -> None:
    # SQLite would hold up the requests of the worker while it deletes.
    prune = off_the_hub(_round) if connection.vendor == "sqlite" else _round
    time.sleep(FIRST_SECONDS)
    while True:
        prune()
        time.sleep(PERIOD_SECONDS)


def _round() -> None:
    try:
        if pruned := prune_test_events():
            logger.info("test events pruned", extra={"events": pruned})
    except Error as error:
        logger.warning("test events could not be pruned", extra={"reason": str(error)})
    connection.close()
