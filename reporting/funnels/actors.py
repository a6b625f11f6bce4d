"""The events of a funnel, actor by actor: sorted by the database, so that one actor's are in memory at a time.

An actor is a partner's client_id or, without one, its session_id. A client and a session are two actors, even if
their ids are equal. An empty id is none.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, When

from reporting.funnels.plan import Plan
from reporting.models import ReportedEvent
from reporting.reports import reported
from reporting.reports.question import Question

_AT_ONCE = 5_000
_ACTOR = ("partner_id", "is_session", "actor")
_TIME, _NAME, _EVENT_ID = 3, 4, 5
_FIRST_RECEIVED = slice(6, 8)
_IS_SESSION = Case(When(reported.NO_CLIENT, then=1), default=0)
_ID = Case(When(reported.NO_CLIENT, then=F("session_id")), default=F("client_id"))


def actors(plan: Plan, question: Question) -> Iterator[tuple[list[tuple[datetime, str]], int]]:
    """Yield the times and names of each actor's events, and how many others were a repetition of one of them.

    An event that an actor has twice, under one name and `event_id`, is the first received, whatever its tag.
    """
    searched = _searched(plan, question).exclude(reported.NO_ACTOR)
    of_actors = searched.annotate(is_session=_IS_SESSION, actor=_ID).order_by(*_ACTOR, "timestamp")
    rows = of_actors.values_list(*_ACTOR, "timestamp", "event_name", "event_id", "received_at", "id")
    for _, of_one in groupby(reported.stream(rows, _AT_ONCE), key=itemgetter(0, 1, 2)):
        seen = list(of_one)
        once = _once(seen)
        yield [(row[_TIME], row[_NAME]) for row in once], len(seen) - len(once)


def without_actor(plan: Plan, question: Question) -> dict[str, tuple[int, int]]:
    """Return the events that have no actor, by name: how many in the range, and how many in all that was searched."""
    nobodys = _searched(plan, question).filter(reported.NO_ACTOR).order_by().values_list("event_name")
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


def _searched(plan: Plan, question: Question) -> "QuerySet[ReportedEvent]":
    """Return the events of the steps' names: of the range, and of later steps until the last window ends."""
    return reported.of_partner(question).filter(
        Q(timestamp__lt=plan.over.end) | Q(event_name__in=plan.later_names),
        timestamp__gte=plan.over.start,
        timestamp__lt=plan.searched_until,
        event_name__in=plan.names,
    )
