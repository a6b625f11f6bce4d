"""The life of a mend: asked for, begun, taken a step further, and done, cancelled or failed.

A step and the record of it are one transaction. So a worker that is killed has done a step or has not, and whichever
worker comes next, on any machine, goes on behind it. Two that work at once wait for each other's row.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import Error, models, transaction

from collect.mending import operations as operations_of
from collect.mending import step as steps
from collect.mending.operations import Operation
from collect.mending.step import Fate, Judge, Judged, Tally
from collect.models import Foreseen, Mend, Rejection, RejectionGroup
from runtime import failures
from runtime.hub import taking_turns

logger = logging.getLogger(__name__)

# Rejections that may be chosen one by one.
MAX_CHOSEN = 1_000
# Rejections between two looks at the clock.
_LOOK = 5
INTERNAL = "an error of the server; its log says more"


def preview(
    operations: Sequence[Operation], by: User, *, group: RejectionGroup | None = None, rejections: Sequence[int] = ()
) -> Mend:
    """Ask for a preview of all rejections of the group or, without a group, of those with these ids.

    Raises ValueError for more than `MAX_CHOSEN` ids.
    """
    if len(rejections) > MAX_CHOSEN:
        raise ValueError(f"at most {MAX_CHOSEN} rejections can be chosen one by one")
    return Mend.objects.create(
        kind=Mend.Kind.PREVIEW,
        group=group,
        rejections=sorted(rejections),
        operations=operations_of.written(operations),
        requested_by=by,
        requested_by_name=by.get_username(),
    )


def replay(previewed: Mend, by: User) -> Mend:
    """Ask for the replay of what was previewed, once: if it was asked for before, return that one.

    Raises ValueError for a preview that is not done.
    """
    if (previewed.kind, previewed.state) != (Mend.Kind.PREVIEW, Mend.State.DONE):
        raise ValueError("only a preview that is done can be replayed")
    mend, _ = Mend.objects.get_or_create(
        preview=previewed,
        defaults={
            "kind": Mend.Kind.REPLAY,
            "group_id": previewed.group_id,
            "rejections": previewed.rejections,
            "operations": previewed.operations,
            "upto": previewed.upto,
            "requested_by": by,
            "requested_by_name": by.get_username(),
        },
    )
    return mend


def cancel(mend: Mend) -> bool:
    """End a mend after the step that it is in; tell whether it was open. What it did by then stays done."""
    with transaction.atomic():
        now = datetime.now(UTC)
        ended = Mend.objects.filter(pk=mend.pk, state__in=Mend.OPEN).update(state=Mend.State.CANCELLED, finished_at=now)
        Foreseen.objects.filter(mend=mend).delete()
    return bool(ended)


def open_mends(limit: int = 10) -> list[int]:
    """Return the ids of mends that are not finished, the oldest first."""
    return list(Mend.objects.filter(state__in=Mend.OPEN).order_by("id").values_list("id", flat=True)[:limit])


def advance(id: int) -> bool:
    """Take the mend one step further; tell whether it is open still.

    Raises `django.db.Error` where the database is away or rolled back for the sake of another transaction; then
    nothing was done. After any other error the mend has failed.
    """
    try:
        return _advance(id)
    except Error as error:
        if failures.is_away(error) or failures.is_rolled_back(error):
            raise
        fault = failures.reason(error)
        logger.exception("a mend failed")
    except Exception:
        fault = INTERNAL
        logger.exception("a mend failed")
    fail(id, fault)
    return False


def fail(id: int, fault: str) -> None:
    """End the mend, if it is open, as one that failed, with the reason. Raises `django.db.Error`."""
    with transaction.atomic():
        Mend.objects.filter(pk=id, state__in=Mend.OPEN).update(
            state=Mend.State.FAILED, fault=fault, finished_at=datetime.now(UTC)
        )
        Foreseen.objects.filter(mend=id).delete()


def _advance(id: int) -> bool:
    mend = Mend.objects.get(pk=id)
    if not mend.is_open:
        return False
    if mend.state == Mend.State.WAITING:
        return _begin(mend)
    judge = Judge(operations_of.read(mend.operations))
    found = list(_selected(mend).filter(pk__gt=mend.position).select_related("api_key").order_by("pk")[: steps.SIZE])
    step = [judge(rejection) for rejection in taking_turns(found, _LOOK)]
    with transaction.atomic():
        locked = Mend.objects.select_for_update().get(pk=id)
        if (locked.state, locked.position) != (mend.state, mend.position):
            return locked.is_open  # cancelled, or another worker was faster
        _record(locked, step, _fates(locked, step, judge))
        return locked.is_open


def _begin(mend: Mend) -> bool:
    """Find out how many rejections there are, up to the last one of this moment or of the preview."""
    found = _selected(mend)
    upto = mend.upto if mend.upto is not None else found.aggregate(last=models.Max("pk"))["last"] or 0
    Mend.objects.filter(pk=mend.pk, state=Mend.State.WAITING).update(
        state=Mend.State.RUNNING, upto=upto, total=found.filter(pk__lte=upto).count(), started_at=datetime.now(UTC)
    )
    return True


def _selected(mend: Mend) -> "models.QuerySet[Rejection]":
    found = Rejection.objects.filter(pk__in=mend.rejections)
    if mend.group_id is not None:
        found = Rejection.objects.filter(group=mend.group_id)
    return found if mend.upto is None else found.filter(pk__lte=mend.upto)


def _fates(mend: Mend, step: Sequence[Judged], judge: Judge) -> list[Fate]:
    if mend.kind == Mend.Kind.PREVIEW:
        return steps.preview(step, judge, _Stored(mend))
    return steps.replay(step)


def _record(mend: Mend, step: Sequence[Judged], fates: Sequence[Fate]) -> None:
    tally = Tally(mend.counts, mend.reasons)
    tally.add(fates)
    mend.done += len(step)
    if len(step) == steps.SIZE:
        mend.position = step[-1].rejection
    else:
        mend.state, mend.finished_at = Mend.State.DONE, datetime.now(UTC)
        if (gone := (mend.total or 0) - mend.done) > 0:
            tally.counts[steps.GONE] += gone
            mend.done += gone
        Foreseen.objects.filter(mend=mend).delete()
    mend.counts, mend.reasons = dict(tally.counts), dict(tally.reasons)
    mend.save(update_fields=["state", "position", "done", "counts", "reasons", "finished_at"])


class _Stored:
    """The firsts of a preview in the database, where every worker finds them."""

    def __init__(self, mend: Mend) -> None:
        self._mend = mend

    def find(self, digests: Iterable[str]) -> set[int]:
        """Return the ids of the rejections whose events have one of the digests."""
        return set(self._mend.foreseen.filter(digest__in=list(digests)).values_list("rejection", flat=True))

    def add(self, found: Mapping[str, int]) -> None:
        """Remember more of them."""
        Foreseen.objects.bulk_create(
            Foreseen(mend=self._mend, digest=digest, rejection=rejection) for digest, rejection in found.items()
        )
