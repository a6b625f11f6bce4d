"""One box for all that an operator may hold in hand: an id of an event, of a request, of an order, a client, a key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from collect.models import Event, Rejection, SearchRun
from collect.search import entries, runs
from collect.storage.repetition import JSON_COLUMNS
from keys.models import ApiKey
from reporting.events import finding
from reporting.events.finding import Coverage, Hit, Wanted

# Rows of each kind; of events there is a next page.
LIMIT = 50

SEARCHED = (
    "Events of any age: the event's own id, "
    + ", ".join(entries.COLUMNS)
    + f", and in params {', '.join(entries.PARAMS)}",
    "Rejections: the request id (X-Request-Id), the rejection's number, and the id of the stored event that it met",
    "API keys: the prefix, or the whole label",
)
NOT_SEARCHED = (
    "Names, tags, partners and times: Live filters by them, in the past too; kinds of bots: the list of events",
    "Other values in params, and all in extra and consent",
    "The request id of an event that was stored: it is not kept. X-Event-Id of the answer is the event's id",
    "A part of an id, or an id in other letters: ids are compared exactly as they were sent",
    "What waits in the spool while the database is away",
)


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event that was found, and where the text stands in it."""

    event: Event
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """All that was found for a text. `next_before` is the id before which the next page of events begins."""

    events: Sequence[FoundEvent]
    next_before: UUID | None
    rejections: Sequence[Rejection]
    keys: Sequence[ApiKey]
    coverage: Coverage

    def __bool__(self) -> bool:
        """Tell whether anything was found."""
        return bool(self.events or self.rejections or self.keys)


def search(text: str, before: UUID | None = None, may_see: Callable[[str], bool] = lambda right: True) -> Results:
    """Return what has exactly this text, of what the rights allow; with `before`, the older events alone.

    `may_see` is asked for the right `app.view_model`. Raises `django.db.Error`.
    """
    nothing: Sequence[Any] = ()
    events, has_more, coverage = nothing, False, Coverage.ALL
    if may_see("collect.view_event"):
        events, has_more, coverage = _events(text, before)
    is_first = before is None
    return Results(
        events=events,
        next_before=events[-1].event.pk if has_more and events else None,
        rejections=_rejections(text) if is_first and may_see("collect.view_rejection") else nothing,
        keys=_keys(text) if is_first and may_see("keys.view_apikey") else nothing,
        coverage=coverage,
    )


def _events(text: str, before: UUID | None) -> tuple[list[FoundEvent], bool, Coverage]:
    found = finding.find(Wanted(text, before=before, limit=LIMIT))
    hits = list(found.hits)
    if (id := as_uuid(text)) is not None and before is None and id not in {hit.id for hit in hits}:
        hits.insert(0, Hit(id, ("id",)))
    return rows(hits), found.has_more, found.coverage


def rows(hits: Sequence[Hit]) -> list[FoundEvent]:
    """Return the events of the hits, in their order, without their JSON. What was deleted meanwhile is left out."""
    events = Event.objects.defer(*JSON_COLUMNS).select_related("partner", "api_key")
    by_id = events.in_bulk([hit.id for hit in hits])
    return [FoundEvent(by_id[hit.id], hit.places) for hit in hits if hit.id in by_id]


def _rejections(text: str) -> list[Rejection]:
    meant = Q(request_id=text)
    if (id := as_uuid(text)) is not None:
        meant |= Q(event=id) | Q(replayed_as=id)
    if text.isascii() and text.isdecimal() and int(text) < 2**63:
        meant |= Q(pk=int(text))
    found = Rejection.objects.filter(meant).defer("body", "errors").select_related("partner", "api_key")
    return list(found.order_by("-pk")[:LIMIT])


def _keys(text: str) -> list[ApiKey]:
    found = ApiKey.objects.filter(Q(prefix=text) | Q(label__iexact=text)).select_related("partner")
    return list(found.order_by("-pk")[:LIMIT])


def as_uuid(text: str) -> UUID | None:
    """Return the UUID that a text is, in any of its spellings; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def limits(coverage: Coverage) -> list[str]:
    """Return, in sentences, which events a search did not see, and until when that lasts; none if it saw all."""
    found = []
    if coverage.oldest is not None:
        found.append(
            f"Events from before {_moment(coverage.oldest)} are still being put into the search index, "
            f"{runs.STEP:,} a second. By their own id they are found already"
        )
    if coverage.unread is not None:
        first, last = map(_moment, coverage.unread)
        found.append(f"Events from {first} to {last} are not in the search index yet: there were very many")
    if coverage.suspect:
        found.append(
            f"Events were stored late, imported or deleted in {coverage.suspect} of {SearchRun.objects.count()} parts "
            "of the search index, which are made anew now: search again in a minute"
        )
    return found


def _moment(id: UUID) -> str:
    """Return the moment that an id of ours begins with."""
    return f"{datetime.fromtimestamp((id.int >> 80) / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
