"""Walking over many events in the order of their ids, a range at a time, each range a transaction of its own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal, TypeVar
from uuid import UUID

from django.db import connection, models, transaction

from collect.backfills.run import Run
from collect.models import Event

# Few enough that a live event which repeats one of them waits only a moment for its row.
RANGE = 5_000
# SQLite has one writer at a time and no queue: whoever waits looks again every 0.1 s, and must find it free.
SQLITE_RANGE, SQLITE_PAUSE_SECONDS, SQLITE_PAUSE_AT_MOST = 1_000, 0.15, 1.5


def walk(
    events: "models.QuerySet[Event]", run: Run, change: Callable[["models.QuerySet[Event]"], int], **of: str
) -> None:
    """Call `change` with each range of `events`; it gives how many it looked at. Goes on where it was cut off.

    `of` is what tells this work from another one of the same command. Events that come in meanwhile are left out.
    """
    ordered = events.order_by("id")
    position = run.resume(**of)
    after = UUID(position["last"]) if position else None
    end = UUID(position["end"]) if position else ordered.values_list("id", flat=True).last()
    total = events.count()
    done = sum(run.counts.values())
    run.begin(done / total if total else 0.0)
    # A dry run writes nothing: on SQLite a transaction would hold up the writers for which the pause is.
    size = SQLITE_RANGE if connection.vendor == "sqlite" and not run.dry_run else RANGE
    for range_of_events, last in ranges(ordered, size, after, end):
        with nullcontext() if run.dry_run else making_way(), nullcontext() if run.dry_run else transaction.atomic():
            if not run.dry_run:
                commit_without_waiting("LOCAL")
            done += change(range_of_events)
            run.save({"last": str(last), "end": str(end)}, now=True)
        run.advance(done, min(1.0, done / total) if total else None)
    run.finish()


@contextmanager
def making_way() -> Iterator[None]:
    """Write in this block; then leave SQLite to others for as long as that took, from 0.15 to 1.5 seconds.

    PostgreSQL needs no pause: there other writers do not wait.
    """
    began = time.monotonic()
    yield
    if connection.vendor == "sqlite":
        time.sleep(min(max(SQLITE_PAUSE_SECONDS, time.monotonic() - began), SQLITE_PAUSE_AT_MOST))


def ranges(
    events: "models.QuerySet[Event]", size: int, last: UUID | None, end: UUID | None
) -> Iterator[tuple["models.QuerySet[Event]", UUID]]:
    """Yield each range of up to `size` events, and its last id: those after `last` (None: all) up to `end`.

    An `end` of None says that there are no events.
    """
    ordered = events.order_by("id")
    while last != end and end is not None:
        rest = ordered.filter(id__lte=end) if last is None else ordered.filter(id__lte=end, id__gt=last)
        upto = rest.values_list("id", flat=True)[size - 1 : size].first() or end
        yield rest.filter(id__lte=upto), upto
        last = upto


def steps(events: "models.QuerySet[Event]", size: int) -> Iterator[list[Event]]:
    """Yield the events themselves, `size` at a time, so that no part of a large table is looked through twice.

    Events that come in meanwhile are among them.
    """
    return by_id(events, size, UUID(int=0))


Row = TypeVar("Row", bound=models.Model)


def by_id(rows: "models.QuerySet[Row]", size: int, last: UUID | int = 0) -> Iterator[list[Row]]:
    """Yield the rows behind the id `last`, `size` at a time, those that come in meanwhile among them."""
    ordered = rows.order_by("pk")
    while step := list(ordered.filter(pk__gt=last)[:size]):
        yield step
        last = step[-1].pk


def commit_without_waiting(scope: Literal["LOCAL", "SESSION"]) -> None:
    """Let the commits of this transaction, or connection, not wait for the disk; a later one that does covers them.

    Only for what a checkpoint tells to do again when it was lost.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET {scope} synchronous_commit = off")
