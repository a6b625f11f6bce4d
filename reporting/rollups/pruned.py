"""Keeps the counts of pruned events, in the transaction that deletes them: at no moment is an event counted twice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from collect.storage import marks
from collect.storage.ledger.tally import Endpoint
from collect.storage.removal import removed, removing
from reporting.models import Progress
from reporting.rollups import running, summaries
from reporting.rollups.counting import Part, freeze, recount


def connect() -> None:
    """Have all that is pruned pass here."""
    removing.connect(_freeze, dispatch_uid="reporting.rollups.pruned")
    removed.connect(_recount, dispatch_uid="reporting.rollups.pruned")


def _freeze(ids: Sequence[UUID], why: Endpoint, **_sent: Any) -> None:
    if why is Endpoint.PRUNE:
        # First, and until the transaction ends: a step of the rollup would still see the events.
        running.take_right(waits=True)
        freeze(ids)


def _recount(received: Sequence[tuple[int, datetime]], why: Endpoint, **_sent: Any) -> None:
    if why is not Endpoint.PRUNE:
        return
    progress = Progress.objects.first()
    for partner, start, end in marks.times(received):
        if progress is not None and start < progress.until:
            recount([Part(partner, start, end)], progress.until)
        else:
            # Nothing else of it had been counted.
            summaries.make(partner, start, end)
