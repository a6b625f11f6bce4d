"""Notes what was committed long after it was received, so that whoever follows the newest rows is told of it.

What is younger is not noted: a reader looks at the last two minutes again and again (`reporting/live/watching.py`).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from collect.models import LateArrival
from collect.search import runs
from collect.storage.outcomes import CODES, Outcome, Written
from collect.storage.rows import Arrival, moment_of

# What brings rows so late. DELAY: the server itself, under a load that it could hardly take.
DELAY, SPOOL, IMPORT, REPLAY = "delay", "spool", "import", "replay"
LATE_AFTER = timedelta(seconds=60)
KEPT = timedelta(days=7)
# Those whose refused events are kept as rejections; an import and a replay have other places for them.
_KEEPS_REJECTIONS = (DELAY, SPOOL)


def note(road: str, arrivals: Sequence[Arrival], results: Sequence[Written]) -> None:
    """Note what of these arrivals, which `road` has written, is late. Call it after the commit.

    Raises `django.db.Error`. What the spool moved is noted also if an earlier try had stored it, since that try may
    have ended before it noted anything.
    """
    now = datetime.now(UTC)
    found: dict[int, list[tuple[datetime, datetime, bool]]] = defaultdict(list)
    for arrival, written in zip(arrivals, results, strict=True):
        row = arrival.row
        identified_at = moment_of(row.id) or row.received_at
        start = min(identified_at, row.received_at)
        is_stored = written.outcome is Outcome.STORED and (road == SPOOL or not written.again)
        is_kept = written.outcome in CODES and road in _KEEPS_REJECTIONS
        if start < now - LATE_AFTER and (is_stored or is_kept):
            found[row.partner_id].append((start, max(identified_at, row.received_at), is_stored))
    if found:
        LateArrival.objects.bulk_create(_row(road, partner_id, rows, now) for partner_id, rows in found.items())
        LateArrival.objects.filter(at__lt=now - KEPT).delete()
        for rows in found.values():
            runs.suspect_between(min(start for start, _, _ in rows), max(end for _, end, _ in rows))


def _row(road: str, partner_id: int, rows: Sequence[tuple[datetime, datetime, bool]], now: datetime) -> LateArrival:
    events = sum(is_stored for _, _, is_stored in rows)
    return LateArrival(
        at=now,
        road=road,
        partner_id=partner_id,
        events=events,
        rejections=len(rows) - events,
        start=min(start for start, _, _ in rows),
        end=max(end for _, end, _ in rows),
    )
