"""Keeps the requests of keys that an operator has armed, written off the road of the requests.

Nothing here may fail or delay a request: what cannot be kept is lost. How many are kept is counted in the database, so
that the workers of several machines together keep no more than was asked for.
"""

import logging
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import cast

from django.db import Error, connection, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import MethodNotAllowed

from collect.captures.recording import Recording
from collect.models import Capture
from keys import authentication
from keys.models import ApiKey
from runtime import failures, outage
from runtime.hub import OwnThread
from runtime.periodic import Periodic
from runtime.refusals import Code, InvalidKey, Refusal
from runtime.requests import ServedRequest

logger = logging.getLogger(__name__)

# How long a capture is kept.
KEPT_FOR = timedelta(hours=24)
# Captures that may wait in a worker to be written, and their bytes. Further ones are lost.
MAX_WAITING, MAX_WAITING_BYTES = 100, 32 * 1024 * 1024
PERIOD_SECONDS = 1.0
# How long after its end an order is remembered for what still waits to be written.
WAITED = timedelta(minutes=10)
# Old captures are looked for once in so many turns, and deleted so many at a time.
TURNS_OF_PRUNING, STEP = 60, 100


class Queue:
    """The captures of this process that are to be written.

    With SQLite one real thread puts them in and another takes them out. So nothing is counted along: a count that both
    change goes wrong, and in the end the queue would seem full for ever.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[datetime, Capture]] = deque()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def has_room(self, key: ApiKey) -> bool:
        """Tell whether one more of this key can wait: of one key, never more than are still wanted."""
        order = key.pk, key.capture_until
        # Copied at once, because the other thread may take some out meanwhile.
        waiting = self._waiting.copy()
        of_key = sum((capture.api_key_id, until) == order for until, capture in waiting)
        size = sum(_size(capture) for _, capture in waiting)
        return of_key < key.capture_left and len(waiting) < MAX_WAITING and size < MAX_WAITING_BYTES

    def put(self, until: datetime, capture: Capture) -> None:
        """Let a capture, which belongs to the order that ends at `until`, wait to be written."""
        self._waiting.append((until, capture))

    def write(self) -> int:
        """Write the captures that wait, and return how many were.

        Raises `django.db.Error` where the database cannot take them now; they then wait on.
        """
        written = 0
        while self._waiting:
            until, capture = self._waiting[0]
            try:
                written += _write(until, capture)
            except Error as error:
                if failures.is_away(error):
                    raise
                logger.warning("a capture could not be kept", extra={"reason": failures.reason(error)})
            self._waiting.popleft()
        return written


def _size(capture: Capture) -> int:
    return len(capture.body) + len(capture.answer)


def _write(until: datetime, capture: Capture) -> bool:
    """Write the capture if its order stands and has not been met yet. Raises `django.db.Error`."""
    with transaction.atomic():
        ordered = ApiKey.objects.filter(pk=capture.api_key_id, capture_until=until, capture_left__gt=0)
        if not ordered.update(capture_left=F("capture_left") - 1):
            return False
        capture.save(force_insert=True)
    return True


# The captures of this process.
shared = Queue()


def begin(request: HttpRequest, key: ApiKey) -> Recording | None:
    """Record the request if its key is armed: whoever calls this has seen that `capture_left` is not 0.

    It never raises, since a request must not fail for the sake of its copy.
    """
    try:
        if key.capture_until is None or key.capture_until <= timezone.now() or not shared.has_room(key):
            return None
        return Recording(cast(ServedRequest, request), key)
    except Exception:  # the boundary: what cannot be recorded is lost
        logger.exception("a request could not be recorded")
        return None


def begin_refused(request: HttpRequest, error: Exception) -> Recording | None:
    """Record a request that was refused before its key was asked, or because of it, if it has the key all the same.

    Nobody has read its body, and nobody will.
    """
    is_missing = isinstance(error, Refusal) and error.code is Code.NOT_FOUND
    if not (is_missing or isinstance(error, InvalidKey | MethodNotAllowed)):
        return None
    key = authentication.holder(request.META.get("HTTP_AUTHORIZATION", ""))
    return begin(request, key) if key is not None and key.capture_left else None


def end(recording: Recording, response: HttpResponse) -> None:
    """Let what was recorded wait to be written. It never raises."""
    try:
        if recording.until is not None and shared.has_room(recording.key):
            shared.put(recording.until, recording.end(response))
    except Exception:  # the boundary: what cannot be kept is lost
        logger.exception("a recorded request could not be kept")


# --- what the thread does --------------------------------------------------------------------------


def prune() -> int:
    """Delete the captures that are older than `KEPT_FOR`, `STEP` at a time, and return how many. Raises `Error`."""
    old = Capture.objects.filter(received_at__lt=datetime.now(UTC) - KEPT_FOR).order_by("received_at")
    pruned = 0
    while ids := list(old.values_list("pk", flat=True)[:STEP]):
        pruned += Capture.objects.filter(pk__in=ids).delete()[0]
    # An order whose time is up costs each request a look at the clock until it is forgotten. What a worker could not
    # write during an outage of the database still belongs to it.
    over = ApiKey.objects.filter(capture_left__gt=0, capture_until__lt=timezone.now() - WAITED)
    if over.exists():
        over.update(capture_left=0)
    return pruned


_turns = count(1)


@OwnThread(lambda: connection.vendor == "sqlite")
def turn() -> None:
    """Write what waits, and now and then delete what is old. A failure is logged; the next turn tries again."""
    is_due = next(_turns) % TURNS_OF_PRUNING == 0
    if outage.database.is_open or (shared.is_empty and not is_due):
        return
    try:
        shared.write()
        if is_due:
            prune()
    except Error as error:
        logger.warning("captures cannot be written now", extra={"reason": failures.reason(error)})
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        connection.close()


thread = Periodic("captures", turn, PERIOD_SECONDS, delay=PERIOD_SECONDS, keeps_connections=True)


def stop() -> None:
    """Write what waits. Call it when the last request has been answered."""
    thread.stop()
    turn()
