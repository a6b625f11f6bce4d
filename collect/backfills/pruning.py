"""Deletes rows past their retention period, a few at a time, so that nobody waits for their locks.

A thread of the server deletes the events of test keys, and looks after the groups of rejections. Nothing else that was
sent is ever deleted unasked.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import Error, connection, models
from django.db.models import Exists, OuterRef

from collect.backfills.run import Run
from collect.models import Build, Event, Rejection, RejectionCount, RejectionGroup, RejectionTally
from collect.storage.grouping import upkeep
from collect.storage.ledger.tally import Endpoint
from collect.storage.removal import remove
from keys import history
from keys.models import KeyChange, Partner
from runtime import failures
from runtime.hub import OwnThread
from runtime.periodic import Periodic

logger = logging.getLogger(__name__)

# Rows of a transaction, few enough that nobody waits for their locks; and the pause between two transactions.
STEP = 1_000
PAUSE_SECONDS = 0.1
# How often the server looks for old test events. The first look waits until the busy start is over.
PERIOD_SECONDS, FIRST_SECONDS = 3600.0, 60.0

EVENTS, TEST_EVENTS, REJECTIONS, KEY_HISTORY = "events", "test events", "rejections", "key history"


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """What to delete: rows of these kinds that came in before `before`, of one partner or (None) of all."""

    before: datetime
    kinds: tuple[str, ...] = (EVENTS,)
    partner: Partner | None = None


def prune_events(options: PruneOptions, run: Run) -> int:
    """Delete what is old, and return 0: nothing is ever left. A run that was cut off can just be run again.

    Raises `Stopped` as `Run.advance` does.
    """
    for kind in options.kinds:
        for rows in _old(kind, options.before, options.partner):
            _delete(kind, rows, run)
    return 0


def _old(kind: str, before: datetime, partner: Partner | None) -> Iterator["models.QuerySet[models.Model]"]:
    """Yield the old rows of a kind, as queries that an index answers."""
    partners = [partner] if partner is not None else list(Partner.objects.all())
    if kind == TEST_EVENTS:
        of_partner = {} if partner is None else {"partner": partner}
        yield Event.objects.filter(is_test=True, received_at__lt=before, **of_partner).order_by("received_at")
    elif kind == KEY_HISTORY:
        of_partner = {} if partner is None else {"key__partner": partner}
        # Lines that say that a key has expired stay: `history.note_expired` would write a missing one again.
        lines = KeyChange.objects.exclude(what=KeyChange.What.EXPIRED)
        yield lines.filter(at__lt=before, **of_partner).order_by("id")
    elif kind == REJECTIONS:
        for one in partners:
            yield Rejection.objects.filter(partner=one, received_at__lt=before).order_by("received_at")
            yield RejectionTally.objects.filter(api_key__partner=one, hour__lt=before).order_by("id")
            yield RejectionCount.objects.filter(group__partner=one, start__lt=before).order_by("start")
            # Those that rejections, or counts, of a later time have are never among them, whatever comes in meanwhile.
            groups = RejectionGroup.objects.filter(partner=one, last_seen__lt=before)
            yield groups.filter(~Exists(Rejection.objects.filter(group=OuterRef("pk")))).order_by("last_seen")
            builds = Build.objects.filter(api_key__partner=one, last_seen__lt=before)
            yield builds.filter(~Exists(RejectionCount.objects.filter(build=OuterRef("pk")))).order_by("id")
    else:
        for one in partners:
            yield Event.objects.filter(partner=one, received_at__lt=before).order_by("received_at")


# What goes with old rejections.
_BESIDE_REJECTIONS: dict[type[models.Model], str] = {
    RejectionTally: "hours of rejections",
    RejectionCount: "counts of rejections",
    RejectionGroup: "groups of rejections",
    Build: "builds of senders",
}


def _delete(kind: str, rows: "models.QuerySet[models.Model]", run: Run) -> None:
    what = _BESIDE_REJECTIONS.get(rows.model, kind)
    if run.dry_run:
        run.counts[f"{what} deleted"] += rows.count()
        return
    total = rows.count()
    done = 0
    run.begin(0.0)
    while ids := list(rows.values_list("pk", flat=True)[:STEP]):
        if rows.model is KeyChange:
            done += history.forget(ids)
        elif rows.model is Event:
            done += remove(ids, Endpoint.PRUNE)
        else:
            done += rows.model._default_manager.filter(pk__in=ids).delete()[0]
        run.counts[f"{what} deleted"] += len(ids)
        run.advance(done, min(1.0, done / total) if total else None)
        time.sleep(PAUSE_SECONDS)


# --- test events, by the server itself -------------------------------------------------------------


def prune_test_events(step: int = STEP, pause: float = PAUSE_SECONDS) -> int:
    """Delete the test events that came in more than `TEST_EVENTS_DAYS` ago, `step` at a time, and return how many.

    Raises `django.db.Error`.
    """
    if not settings.TEST_EVENTS_DAYS:
        return 0
    before = datetime.now(UTC) - timedelta(days=settings.TEST_EVENTS_DAYS)
    old = Event.objects.filter(is_test=True, received_at__lt=before).order_by("received_at")
    pruned = 0
    while ids := list(old.values_list("pk", flat=True)[:step]):
        pruned += remove(ids, Endpoint.PRUNE)
        time.sleep(pause)
    return pruned


# SQLite would hold up the requests of the worker while it deletes.
@OwnThread(lambda: connection.vendor == "sqlite")
def _turn() -> None:
    try:
        if pruned := prune_test_events():
            logger.info("test events pruned", extra={"events": pruned})
    except Error as error:
        logger.warning("test events could not be pruned", extra={"reason": failures.reason(error)})
    try:
        upkeep.look_after(datetime.now(UTC))
    except Error as error:
        logger.warning("groups of rejections could not be looked after", extra={"reason": failures.reason(error)})
    connection.close()


# Two workers may delete at the same time: each only finds less to do.
thread = Periodic("prune", _turn, PERIOD_SECONDS, delay=FIRST_SECONDS)
