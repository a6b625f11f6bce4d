"""The events that a report is about."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from reporting.models import ReportedEvent
from reporting.reports.question import Question

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
    with reading():
        yield from rows.iterator(step)


def reading() -> AbstractContextManager[Any]:
    """Return a transaction on PostgreSQL, which outside of one would copy the whole result before the first row.

    On SQLite a transaction would keep out all writers, and a statement reads as it goes anyway.
    """
    return transaction.atomic() if connection.vendor == "postgresql" else nullcontext()
