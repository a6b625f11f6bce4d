"""Derives the tags of events that were sent without one again, after the rule for hosts has changed."""

from collections.abc import Sequence
from uuid import UUID

from django.db import Error, models, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Substr

from collect.backfills.run import Run
from collect.backfills.selection import Selection
from collect.backfills.walk import walk
from collect.enrichment import site_tag
from collect.models import Event
from collect.storage import marks
from collect.storage.bisection import bisect
from runtime import failures

CHANGED, UNCHANGED, TAKEN = "changed", "unchanged", "left: another event has that tag and event_id"


def derive_tags(selection: Selection, run: Run) -> int:
    """Derive the tags of the selected events again from their `page_url`; return how many had to stay as they were.

    A tag that was sent is never touched. A tag that came from a request's Origin or Referer stays too: those headers
    are not kept, and such an event has no page with a host. If another event already has the new tag and the same
    `event_id`, the two would be one: the event is left as it is and counted. Raises `Stopped` as `Run.advance` does.
    """
    derived = Event.objects.filter(selection.condition, tag_derived=True)
    walk(derived, run, lambda events: _change(events, run), **selection.identity())
    return run.counts[TAKEN]


def _change(events: "models.QuerySet[Event]", run: Run) -> int:
    looked_at = 0
    moved: dict[tuple[str, str], list[UUID]] = {}
    # Fetch only what is read of a URL, and one character more to show that it is longer: a URL may be a MiB.
    start = Substr("page_url", 1, site_tag.MAX_URL + 1)
    for id, tag_id, page_url in events.values_list("id", "tag_id", start).iterator(200):
        looked_at += 1
        tag = site_tag.tag_for(page_url, None, None)
        if tag in (site_tag.UNKNOWN, tag_id):
            run.counts[UNCHANGED] += 1
        else:
            moved.setdefault((tag_id, tag), []).append(id)
    for (before, after), ids in moved.items():
        left = _taken(ids, after) if run.dry_run else _leave_taken(ids, after)
        run.counts[TAKEN] += left
        run.counts[CHANGED] += len(ids) - left
        run.changes[f"{before} → {after}"] += len(ids) - left
    return looked_at


def _taken(ids: Sequence[UUID], tag: str) -> int:
    """Return how many of the events could not have the tag."""
    others = Event.objects.filter(partner=OuterRef("partner"), tag_id=tag, event_id=OuterRef("event_id"))
    return Event.objects.filter(Exists(others), pk__in=ids, event_id__isnull=False).count()


def _leave_taken(ids: Sequence[UUID], tag: str) -> int:
    """Give the events the tag, and return how many could not have it."""
    return bisect(ids, lambda some: _move(some, tag), _is_taken).count(False)


def _is_taken(_id: UUID, error: Error) -> bool:
    """Return False for an event whose new tag is taken. Raises the error if it says anything else."""
    if not failures.is_poison(error):
        raise error
    return False


def _move(ids: Sequence[UUID], tag: str) -> list[bool]:
    """Give the tag to all of the events or to none, and return True for each. Raises `django.db.Error`."""
    with transaction.atomic():
        events = Event.objects.filter(pk__in=ids)
        events.update(tag_id=tag)
        marks.note_all(events)
    return [True] * len(ids)
