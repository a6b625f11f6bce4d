"""The stream of what came in: stored events and kept rejections, newest first. Each query reads a bounded part of it.

Without a partner an event stands where its id has it, by the primary key; its id has the time of its `received_at`,
but for imports of the past. With a partner it stands at its `received_at`, by the index `event_arrival`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from collect.models import Event, Rejection
from reporting.live.filters import Filter
from reporting.ranges import Range

# How many rows one query looks at for a filter that no index knows.
SCANNED = 20_000
# How far rows are counted; what is more is "50,000 or more".
COUNTED = 50_000
# Counts in one query. PostgreSQL plans each alone, and takes longer for each the more there are.
_PARTS = 48
EVENT, REJECTION = "event", "rejection"
_EVENT_COLUMNS = (
    *("pk", "received_at", "partner_id", "partner__name", "api_key_id", "api_key__prefix"),
    *("is_test", "event_name", "tag_id", "event_id"),
)
_REJECTION_COLUMNS = (
    *("pk", "received_at", "partner_id", "partner__name", "api_key_id", "api_key__prefix"),
    *("api_key__is_test", "code", "detail", "request_id"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """An event or a rejection. `name` and `tag` are of an event; `code` and `detail` say why another was refused."""

    kind: str
    id: str
    # Where it stands in the stream: at its `received_at` or, of an event of all partners, at the time in its id.
    at: datetime
    received_at: datetime
    partner_id: int
    partner: str
    key_id: int | None
    key: str | None
    is_test: bool
    name: str = ""
    tag: str = ""
    event_id: str | None = None
    code: str = ""
    detail: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a list was read: what is newer than these rows, each with its moment, is done. None: nothing yet."""

    event: tuple[datetime, UUID] | None = None
    rejection: tuple[datetime, int] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One of the two tables, with what is wanted of it."""

    kind: str
    partner: int | None
    wanted: Q

    @property
    def by_id(self) -> bool:
        """Whether the rows stand in the order of their ids, and not of their `received_at`."""
        return self.kind == EVENT and self.partner is None

    def all(self, within: Range) -> QuerySet[Any]:
        """Return the rows of this time and partner, wanted or not, newest first."""
        rows: QuerySet[Any] = Event.objects.all() if self.kind == EVENT else Rejection.objects.all()
        if self.by_id:
            return rows.filter(pk__gte=first_id(within.start), pk__lt=first_id(within.end)).order_by("-pk")
        if self.partner is not None:
            rows = rows.filter(partner=self.partner)
        return rows.filter(received_at__gte=within.start, received_at__lt=within.end).order_by("-received_at", "-pk")

    def wanted_of(self, within: Range) -> QuerySet[Any]:
        """Return the wanted rows of this time, newest first."""
        return self.all(within).filter(self.wanted)

    def countable(self, within: Range) -> QuerySet[Any]:
        """Return of the wanted rows, up to `COUNTED`, what the index itself has: then the table need not be read."""
        return self.wanted_of(within).order_by().values("pk" if self.by_id else "received_at")[:COUNTED]

    def below(self, rows: QuerySet[Any], place: tuple[datetime, Any] | None) -> QuerySet[Any]:
        """Return those of the rows that stand behind the place."""
        if place is None:
            return rows
        moment, pk = place
        if self.by_id:
            return rows.filter(pk__lt=pk)
        return rows.filter(Q(received_at__lt=moment) | Q(pk__lt=pk), received_at__lte=moment)

    def last_looked_at(self, rows: QuerySet[Any]) -> tuple[datetime, Any] | None:
        """Return the place of the last row that may be looked at; None if all may."""
        if not self.wanted:
            return None
        places = rows.values_list("received_at", "pk")[SCANNED - 1 : SCANNED]
        return next(((self.at(received_at, pk), pk) for received_at, pk in places), None)

    def from_(self, rows: QuerySet[Any], last: tuple[datetime, Any] | None) -> QuerySet[Any]:
        """Return the wanted ones of the rows, as far as the last that may be looked at, which may be one."""
        if last is None:
            return rows.filter(self.wanted)
        moment, pk = last
        if self.by_id:
            return rows.filter(self.wanted, pk__gte=pk)
        return rows.filter(self.wanted, Q(received_at__gt=moment) | Q(pk__gte=pk), received_at__gte=moment)

    def read(self, *parts: QuerySet[Any]) -> list[Row]:
        """Return the rows of these parts of the table, in one query."""
        columns = _EVENT_COLUMNS if self.kind == EVENT else _REJECTION_COLUMNS
        first, *rest = (part.values_list(*columns) for part in parts)
        found = first.union(*rest, all=True) if rest else first
        if self.kind == EVENT:
            return [
                Row(EVENT, str(pk), self.at(received_at, pk), received_at, *more) for pk, received_at, *more in found
            ]
        return [
            Row(
                REJECTION, str(pk), at, at, owner, name, key, prefix, test, code=code, detail=detail, request_id=sent_as
            )
            for pk, at, owner, name, key, prefix, test, code, detail, sent_as in found
        ]

    def at(self, received_at: datetime, pk: Any) -> datetime:
        """Return where a row stands in the stream."""
        return datetime.fromtimestamp((pk.int >> 80) / 1000, UTC) if self.by_id else received_at


def tables(chosen: Filter) -> list[Table]:
    """Return the tables that have wanted rows."""
    events, rejections = chosen.of_events, chosen.of_rejections
    found = [] if events is None else [Table(EVENT, chosen.partner, events)]
    return found if rejections is None else [*found, Table(REJECTION, chosen.partner, rejections)]


def first_id(moment: datetime) -> UUID:
    """Return the smallest id that an event of this moment can have, to the millisecond."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def second(start: int) -> Range:
    """Return the second that begins so many seconds after 1970."""
    moment = datetime.fromtimestamp(start, UTC)
    return Range(moment, moment + timedelta(seconds=1))


def counts(chosen: Filter, seconds: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return how many events and how many rejections each of the seconds has, each up to `COUNTED`."""
    wanted = tables(chosen)
    found = _counted([table.countable(second(one)) for one in seconds for table in wanted])
    kinds = [(one, table.kind) for one in seconds for table in wanted]
    by_kind = dict(zip(kinds, found, strict=True))
    return {one: (by_kind.get((one, EVENT), 0), by_kind.get((one, REJECTION), 0)) for one in seconds}


def count(chosen: Filter, within: Range) -> tuple[int, int, bool]:
    """Return how many events and how many rejections there are in this time, and whether there may be more.

    Each is counted up to `COUNTED`; of what no index knows, `SCANNED` rows are looked at.
    """
    parts, is_least = {}, False
    for table in tables(chosen):
        rows = table.all(within)
        if (last := table.last_looked_at(rows)) is None:
            parts[table.kind] = table.countable(within)
        else:
            parts[table.kind], is_least = table.from_(rows, last).order_by().values("pk"), True
    found = dict(zip(parts, _counted(list(parts.values())), strict=True))
    events, rejections = found.get(EVENT, 0), found.get(REJECTION, 0)
    return events, rejections, is_least or max(events, rejections) >= COUNTED


def _counted(parts: Sequence[QuerySet[Any]]) -> list[int]:
    """Return the number of rows of each part."""
    found: list[int] = []
    for start in range(0, len(parts), _PARTS):
        selects: list[str] = []
        params: list[Any] = []
        for index, part in enumerate(parts[start : start + _PARTS]):
            sql, values = part.query.sql_with_params()
            selects.append(f"SELECT {index} AS part, (SELECT COUNT(*) FROM ({sql}) AS rows_of_it)")  # noqa: S608  # ours
            params += values
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(selects), params)
            found += [number for _, number in sorted(cursor.fetchall())]
    return found


def rows_of(chosen: Filter, seconds: Iterable[int]) -> list[Row]:
    """Return all rows of these seconds, newest first. The caller knows that they are few."""
    times = [second(one) for one in seconds]
    wanted = tables(chosen) if times else []
    return newest_first(
        row for table in wanted for row in table.read(*(table.wanted_of(time).order_by() for time in times))
    )


def newest_first(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in the order in which they are shown."""
    return sorted(rows, key=lambda row: (row.at, row.kind, row.id.zfill(36)), reverse=True)
