"""The thread that writes what this process has counted, every few seconds and once more at the end.

While the database is away a batch waits in the spool's file. A batch has an id, so it is never added twice.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from uuid import UUID, uuid4

import msgspec
from django.db import Error, connection

from collect.storage import machine, spool
from collect.storage.grouping import builds
from collect.storage.ledger import entries, lives, tally
from collect.storage.ledger.lives import Life
from collect.storage.ledger.tally import RECEIVED, TURNED_AWAY, Amount, Counts, Entry
from runtime import outage
from runtime.hub import OwnThread
from runtime.periodic import Periodic

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 3.0
# Minutes are folded into hours when they are this old.
FOLDED = timedelta(days=2)
# Entries that wait in memory. With more, as in a long outage without a spool, minutes become hours early.
_MAX_WAITING = 10_000
# Batches of the spool in one transaction, and steps of folding in one turn: a turn is short.
_SPOOLED, _FOLDS = 200, 6
# The machine describes itself, and old entries are looked after, once in so many turns.
_TURNS_OF_DUTIES = 3

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[Entry, Amount]]).decode


class Writer:
    """Writes the counts of a process, batch by batch; what fails is tried again in the next turn."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._life = Life(counts)
        self._next: dict[Entry, Amount] = {}
        self._batch: tuple[UUID, dict[Entry, Amount]] | None = None
        # The batch before, which the database is known to have.
        self._known: UUID | None = None
        self._turns = count()

    def begin(self) -> None:
        """Keep count in a file too from now on, for the case that the process is killed."""
        self._life.begin()

    def turn(self) -> None:
        """Write what was counted, and now and then look after the ledger. Raises `django.db.Error` where that fails."""
        self.write()
        if outage.writing.is_open or outage.database.is_open:
            return
        _move_spooled()
        if next(self._turns) % _TURNS_OF_DUTIES == 0:
            _look_after(datetime.now(UTC))

    def end(self) -> None:
        """Write all that was counted: the process ends in good order."""
        self.write()
        # The first call may have written a batch from before, that had failed.
        self.write()
        self._life.end()

    def write(self) -> None:
        """Write what was counted since the last batch; if neither the database nor the spool takes it, it waits."""
        self._next = entries.total(chain(self._next.items(), self._counts.take()))
        if len(self._next) > _MAX_WAITING:
            self._next = entries.by_hour(self._next)
        if self._batch is None:
            if not self._next:
                return
            self._batch, self._next = (uuid4(), self._next), {}
        if self._is_added(*self._batch) or _is_spooled(*self._batch):
            self._life.wrote(_settled(self._batch[1]))
            self._batch = None

    def _is_added(self, batch: UUID, counts: Mapping[Entry, Amount]) -> bool:
        # In an outage each try would take a time-out.
        if spool.is_enabled() and (outage.writing.is_open or outage.database.is_open):
            return False
        try:
            entries.add_once({batch: counts}, datetime.now(UTC), known=self._known)
        except Error:
            logger.warning("the ledger cannot be written", exc_info=True)
            connection.close()
            return False
        self._known = batch
        return True


def _is_spooled(batch: UUID, counts: Mapping[Entry, Amount]) -> bool:
    if not spool.is_enabled():
        return False
    try:
        spool.keep_counts(str(batch), _encode(list(counts.items())))
    except Error:
        return False
    return True


def _settled(counts: Mapping[Entry, Amount]) -> int:
    return sum(amount.events for entry, amount in counts.items() if entry.outcome not in (RECEIVED, TURNED_AWAY))


def _move_spooled() -> None:
    """Add the batches that wait in the spool. Raises `django.db.Error`."""
    while spool.is_enabled() and (found := spool.counts(_SPOOLED)):
        entries.add_once({UUID(name): dict(_decode(document)) for name, document in found}, datetime.now(UTC))
        spool.discard_counts([name for name, _ in found])


def _look_after(now: datetime) -> None:
    """Describe this machine, note what killed processes had not written, and fold old minutes.

    Every worker does it: nothing of it goes wrong if two do it at once. Raises `django.db.Error`.
    """
    machine.report(now)
    lives.note_gaps(now)
    for _ in range(_FOLDS):
        if not entries.fold(now - FOLDED):
            break
    entries.prune(now)


shared = Writer(tally.shared)


# SQLite would hold up the requests of the worker while it writes.
@OwnThread(lambda: connection.vendor == "sqlite")
def _turn() -> None:
    shared.turn()
    builds.write()


thread = Periodic("ledger", _turn, PERIOD_SECONDS, delay=PERIOD_SECONDS, keeps_connections=True)


@contextmanager
def running() -> Iterator[None]:
    """Write down what a command counts, while it runs and when it ends."""
    start()
    try:
        yield
    finally:
        stop()


def start() -> None:
    """Start the thread of a process, in a worker after it has forked."""
    shared.begin()
    thread.start()


def stop() -> None:
    """End the thread, and write what was counted until now: in a worker, when the last request has been answered."""
    thread.stop()
    shared.end()
    with suppress(Error):
        builds.write()
        machine.stop(datetime.now(UTC))
