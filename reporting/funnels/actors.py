"""The events of a funnel, actor by actor: sorted by the database, so that one actor's are in memory at a time.

An actor is a partner's client_id or, without one, its session_id. A client and a session are two actors, even if
their ids are equal. An id of blanks alone counts as none.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, Value, When
from django.db.models.functions import NullIf, Trim

from keys.models import Partner
from reporting.funnels.plan import Plan
from reporting.models import ReportedEvent

_AT_ONCE = 5_000
_ACTOR = ("partner_id", "is_session", "actor")
_TIME, _NAME, _EVENT_ID = 3, 4, 5
_FIRST_RECEIVED = slice(6, 8)
# Of `client` and `session`, which are NULL where the id has nothing but blanks.
_NOBODY = {"client__isnull": True, "session__isnull": True}
_IS_SESSION = Case(When(client__isnull=True, then=1), default=0)
_ID = Case(When(client__isnull=True, then=F("session_id")), default=F("client_id"))


def actors(plan: Plan, partner: Partner | None) -> Iterator[tuple[list[tuple[datetime, str]], int]]:
    """Yield the times and names of each actor's events, and how many others were a repetition of one of them.

    An event that an actor has twice, under one name and `event_id`, is the first received, whatever its tag.
    """
    searched = _searched(plan, partner).exclude(**_NOBODY)
    of_actors = searched.annotate(is_session=_IS_SESSION, actor=_ID).order_by(*_ACTOR, "timestamp")
    rows = of_actors.values_list(*_ACTOR, "timestamp", "event_name", "event_id", "received_at", "id")
    for _, of_one in groupby(rows.iterator(_AT_ONCE), key=itemgetter(0, 1, 2)):
        seen = list(of_one)
        once = _once(seen)
        yield [(row[_TIME], row[_NAME]) for row in once], len(seen) - len(once)


def without_actor(plan: Plan, partner: Partner | None) -> dict[str, tuple[int, int]]:
    """Return the events that have no actor, by name: how many in the range, and how many in all that was searched."""
    nobodys = _searched(plan, partner).filter(**_NOBODY).order_by().values_list("event_name")
    counts = nobodys.annotate(inside=Count("id", filter=Q(timestamp__lt=plan.over.end)), all=Count("id"))
    return {name: (inside, everything) for name, inside, everything in counts}


def _once(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    firsts: dict[tuple[str, str], tuple[Any, ...]] = {}
    others = []
    for row in rows:
        if row[_EVENT_ID] is None:
            others.append(row)
            continue
        first = firsts.setdefault((row[_NAME], row[_EVENT_ID]), row)
        if row[_FIRST_RECEIVED] < first[_FIRST_RECEIVED]:
            firsts[row[_NAME], row[_EVENT_ID]] = row
    return others + list(firsts.values())


def _searched(plan: Plan, partner: Partner | None) -> "QuerySet[ReportedEvent]":
    """Return the events of the steps' names: of the range, and of later steps until the last window ends."""
    found = ReportedEvent.objects.filter(
        Q(timestamp__lt=plan.over.end) | Q(event_name__in=plan.later_names),
        timestamp__gte=plan.over.start,
        timestamp__lt=plan.searched_until,
        event_name__in=plan.names,
    )
    if partner is not None:
        found = found.filter(partner_id=partner.pk)
    client, session = (NullIf(Trim(name), Value("")) for name in ("client_id", "session_id"))
    return found.alias(client=client, session=session)
