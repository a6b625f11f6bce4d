"""The events that a report is about."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from reporting.models import ReportedEvent
from reporting.reports.question import Question
from reporting.snapshot import snapshot

# Events that are in memory at a time, with params of up to a MiB each.
STEP = 100
# Events of nobody that could be followed: with neither a client nor a session.
NO_CLIENT = Q(client_id=None) | Q(client_id="")
NO_ACTOR = NO_CLIENT & (Q(session_id=None) | Q(session_id=""))


def events(question: Question) -> "QuerySet[ReportedEvent]":
    """Return the events that happened in the range, of the question's partner or of all."""
    found = of_partner(question)
    return found.filter(timestamp__gte=question.over.start, timestamp__lt=question.over.end)


def of_partner(question: Question) -> "QuerySet[ReportedEvent]":
    """Return the events of any time of the question's partner, or of all."""
    found = ReportedEvent.objects.all()
    return found if question.partner is None else found.filter(partner_id=question.partner.pk)


def stream(rows: "QuerySet[ReportedEvent, Any]", step: int = STEP) -> Iterator[Any]:
    """Yield the rows in their order, `step` at a time, however many there are. Raises `django.db.Error`."""
    # Outside of a transaction PostgreSQL would copy the whole result before the first row.
    with snapshot():
        yield from rows.iterator(step)
