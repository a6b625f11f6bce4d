"""Brings the buckets up to date: counts what arrived since the last time, and again what marks name.

Each step is one transaction, which counts, notes how far it came, and deletes the marks that it has seen to. A process
that dies leaves what it had not committed to the next one.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Min

from collect.models import Event, Mark
from collect.storage.marks import PAST_AFTER, QUARTER, SETTLED, beginning
from keys.models import Partner
from reporting.models import Cell, Progress
from reporting.rollups.counting import Part, recount
from runtime.periodic import Busy
from runtime.postgresql.patience import patient

# How much of the arrivals a transaction counts. It is made longer or shorter, so that a step takes about a second.
SHORTEST, LONGEST = QUARTER, timedelta(days=32)
_BRISK_SECONDS, _SLOW_SECONDS = 0.5, 2.0
# What arrived in less than this is left to the next time; whoever reads counts it himself (`views.counts`).
LEAST = timedelta(seconds=30)
# How much is counted anew after a clock was set back.
_DOUBTED = timedelta(days=1)
# A statement may take long where a quarter-hour has millions of events. Nobody waits for it.
PATIENCE_SECONDS = 300
_MARKS = 500
# The lock that a step holds on PostgreSQL, so that no two machines count at the same time: any number nobody else uses.
_LOCK = 0x7472_6F6C


@dataclass(frozen=True, slots=True)
class Step:
    """What a step has done: how many events it counted, how many marks it saw to, and whether more is to do."""

    events: int
    marks: int
    has_more: bool


class Rollup:
    """Takes steps, each as long as the ones before it let expect."""

    def __init__(self) -> None:
        self._stride = timedelta(hours=1)

    def run(self, now: datetime | None = None) -> Iterator[Step]:
        """Take steps until nothing is left to do, and yield each. Raises what `step` does."""
        while True:
            done = self.step(now)
            yield done
            if not done.has_more:
                return

    def step(self, now: datetime | None = None) -> Step:
        """Count marked quarter-hours anew or, where there are none, those that arrived since the last time.

        Raises `Busy` if another process counts, and `django.db.Error`.
        """
        began = time.monotonic()
        try:
            done = _step(now, self._stride)
        finally:
            took = time.monotonic() - began
            if took > _SLOW_SECONDS:
                self._stride = max(self._stride / 2, SHORTEST)
        if took < _BRISK_SECONDS:
            self._stride = min(self._stride * 2, LONGEST)
        return done


def _step(now: datetime | None, stride: timedelta) -> Step:
    with transaction.atomic(), patient(PATIENCE_SECONDS):
        take_right()
        now, settled = _clock(now)
        progress = Progress.objects.first() or _begin(settled)
        if progress.until > now - PAST_AFTER:
            _go_back(progress, settled)
        if marks := list(Mark.objects.order_by("pk")[:_MARKS]):
            return _see_to(marks, progress.until, stride)
        return _go_on(progress, settled, stride)


def _clock(now: datetime | None) -> tuple[datetime, datetime]:
    """Return the time, and the moment before which all that was received is there or will be marked.

    On PostgreSQL it is behind the beginning of every transaction that writes events, however long its commit takes:
    that of one which waits for a stand-by server, for example, may take until that is back.
    """
    if connection.vendor != "postgresql":
        now = now or datetime.now(UTC)
        return now, now - SETTLED
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_WRITER, [Event._meta.db_table])
        ((there, lasts),) = cursor.fetchall()
    now = now or there
    return now, now - max(SETTLED, (lasts or timedelta(0)) + PAST_AFTER)


# Of other roles PostgreSQL may not tell; theirs count as begun just now. The clock is one for all machines.
_OLDEST_WRITER = """
SELECT clock_timestamp(), max(clock_timestamp() - xact_start) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE relation = %s::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
"""


def _go_back(progress: Progress, settled: datetime) -> None:
    """Leave what arrives from now on to be counted. The clock was ahead, and has been set right since.

    What came in between then and now nobody has marked, so that a day is counted anew.
    """
    start, end = beginning(settled), beginning(progress.until) + QUARTER
    partners = list(Partner.objects.values_list("pk", flat=True))
    recount([Part(partner, start, end) for partner in partners], settled)
    Mark.objects.bulk_create(
        Mark(partner_id=partner, start=start - _DOUBTED, end=start + QUARTER) for partner in partners
    )
    progress.until = settled
    progress.save(update_fields=["until"])


def rebuild() -> None:
    """Mark all that has been counted, so that the next steps count it anew. Raises `django.db.Error`."""
    with transaction.atomic():
        progress = Progress.objects.first()
        if progress is None:
            return
        for partner in Partner.objects.values_list("pk", flat=True):
            first = _first_arrival(partner)
            if first is not None and first < progress.until:
                Mark.objects.create(partner_id=partner, start=beginning(first), end=beginning(progress.until) + QUARTER)


def _begin(settled: datetime) -> Progress:
    """Note that nothing has been counted yet, from the first event on."""
    until = beginning(min(first_arrival() or settled, settled))
    # Events may have been pruned before anything was counted.
    return Progress.objects.create(pk=1, until=until, is_summed_up=not Cell.objects.exists())


def first_arrival() -> datetime | None:
    """Return when the first event of all that is there, or is counted, arrived. Raises `django.db.Error`."""
    found = [first for partner in Partner.objects.values_list("pk", flat=True) if (first := _first_arrival(partner))]
    return min(found, default=None)


def _first_arrival(partner: int) -> datetime | None:
    """Return when the first event that is there, or is counted, arrived; a query an index answers."""
    events = Event.objects.filter(partner=partner).aggregate(first=Min("received_at"))["first"]
    cells = Cell.objects.filter(partner=partner).aggregate(first=Min("arrived"))["first"]
    return min([one for one in (events, cells) if one is not None], default=None)


def _go_on(progress: Progress, settled: datetime, stride: timedelta) -> Step:
    """Count what arrived since the last time, of the quarter-hour in which that was, too."""
    if not progress.is_summed_up:
        # No mark is left, of those that an upgrade made neither.
        progress.is_summed_up = True
        progress.save(update_fields=["is_summed_up"])
    until = min(settled, progress.until + stride)
    if until < progress.until + LEAST:
        # Another machine has just been here.
        return Step(0, 0, has_more=False)
    start, end = beginning(progress.until), beginning(until) + QUARTER
    partners = Partner.objects.values_list("pk", flat=True)
    events = recount([Part(partner, start, end) for partner in partners], until, is_new=True)
    Progress.objects.filter(pk=progress.pk).update(until=until)
    return Step(events, 0, has_more=until < settled)


def _see_to(marks: Sequence[Mark], until: datetime, stride: timedelta) -> Step:
    """Count what the marks name anew; of a long time only the first part, and mark the rest again."""
    times: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    for mark in marks:
        times[mark.partner_id].append((mark.start, mark.end))
    parts: list[Part] = []
    left: list[Mark] = []
    budget = stride
    for partner, of_partner in times.items():
        for start, end in _merged(of_partner):
            # What lies behind `until` is counted when that moves on.
            cut = min(end, beginning(start + max(budget, QUARTER)))
            parts.append(Part(partner, start, cut))
            budget -= cut - start
            if cut < end:
                left.append(Mark(partner_id=partner, start=cut, end=end))
    events = recount([part for part in parts if part.start < until], until)
    Mark.objects.filter(pk__in=[mark.pk for mark in marks]).delete()
    Mark.objects.bulk_create(left)
    return Step(events, len(marks), has_more=True)


def _merged(times: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the times in order, those that touch or overlap as one."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(times):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def take_right(*, waits: bool = False) -> None:
    """Take the right to count, until the transaction ends. SQLite has one writer at a time anyway.

    Raises `Busy` if another process has it, unless it `waits` for that to end.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            lock = "true FROM pg_advisory_xact_lock" if waits else "pg_try_advisory_xact_lock"
            cursor.execute(f"SELECT {lock}(%s)", [_LOCK])
            if cursor.fetchone() != (True,):
                raise Busy
