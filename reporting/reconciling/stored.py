"""The stored side: all events of the partner with these names, in one stream, as `reporting_events` has them.

Not only those of the range: what a line names may have been stored with another time. Tests are not among them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import TextField
from django.db.models.expressions import RawSQL

from collect.search.entries import PARAMS
from reporting.models import ReportedEvent
from reporting.reconciling.classes import Money
from reporting.reconciling.desk import StoredEvent
from reporting.reconciling.wanted import Match, Wanted
from reporting.reports import reported

STEP = 2_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = ("event_name", "id", "event_id", "received_at", "timestamp", "value_e4", "currency", "value_issue")


def stream(wanted: Wanted, names: Sequence[str], match: Match) -> Iterator[list[StoredEvent]]:
    """Yield the events, `STEP` at a time, in no order. Raises `django.db.Error`."""
    events = ReportedEvent.objects.filter(partner_id=wanted.partner.pk, event_name__in=names)
    orders = {f"order_{number}": _order(name) for number, name in enumerate(PARAMS)}
    columns = [*_COLUMNS]
    if match is Match.ORDER_ID:
        events = events.annotate(**orders)
        columns += orders
    rows = reported.stream(events.values_list(*columns), STEP)
    while some := [_event(row, wanted) for row in islice(rows, STEP)]:
        yield some


# The number of an order in `params`, a text or a number, as text.
_ORDERS = {
    "postgresql": "CASE WHEN jsonb_typeof(params -> '{0}') IN ('string', 'number') THEN params ->> '{0}' END",
    "sqlite": "CASE WHEN json_type(params, '$.{0}') IN ('text', 'integer', 'real') "
    "THEN CAST(params ->> '{0}' AS TEXT) END",
}


def _order(name: str) -> RawSQL:
    return RawSQL(_ORDERS[connection.vendor].format(name), (), TextField())  # noqa: S611  # only our own names


def _event(row: Sequence[Any], wanted: Wanted) -> StoredEvent:
    name, id, event_id, received_at, timestamp, amount, currency, issue, *orders = row
    # Annotated columns are there only if orders are compared.
    ids = orders if len(row) > len(_COLUMNS) else [event_id]
    return StoredEvent(
        name,
        f"{microseconds(received_at):020}{id}",
        str(id),
        event_id,
        microseconds(timestamp),
        Money(amount, currency, issue),
        tuple(dict.fromkeys(one for one in ids if one is not None and one.strip())),
        (wanted.since is None or timestamp >= wanted.since) and (wanted.until is None or timestamp < wanted.until),
    )


def microseconds(moment: datetime) -> int:
    """Return a moment in microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """Return the moment of so many microseconds since 1970."""
    return _EPOCH + microseconds * _MICROSECOND
