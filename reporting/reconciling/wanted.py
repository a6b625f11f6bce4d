"""What a reconciliation is asked: which columns of the file mean what, and which stored events are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from keys.models import Partner
from reporting.views import columns

DEFAULT_NAME = "order_created"


class Match(StrEnum):
    """What the ids of the file are compared with."""

    EVENT_ID = "event_id"
    # The number of the order, as senders name it in `params` (collect/search/entries.py).
    ORDER_ID = "order_id"


class Role(StrEnum):
    """What a column of the file says."""

    EVENT_ID = "event_id"
    ORDER_ID = "order_id"
    AMOUNT = "amount"
    CURRENCY = "currency"
    TIME = "time"
    EVENT_NAME = "event_name"
    TAG = "tag_id"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose events are compared, and how. A range of None has no end; without `event_name` the file's column decides.

    `columns` are those that were named; the others are recognised. A time without a zone is in `zone`.
    """

    partner: Partner
    id_column: str | None = None
    match: Match | None = None
    columns: Mapping[Role, str] = field(default_factory=dict)
    currency_code: str | None = None
    event_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    zone: tzinfo = UTC
    # By how many of the currency's smallest units two amounts may differ.
    tolerance: int = 0


def counts_once(event_name: str) -> bool:
    """Tell whether reports count events of this name once for each event_id (`reporting_conversions`)."""
    return event_name in columns.CONVERSIONS
