"""Which events are meant, said in Python. A method names the index that serves it; the others filter what is read."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, Unpack

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

from collect.params.conditions import Conditions, conditions_of
from collect.params.expressions import ParamHolds
from collect.params.paths import BadQuery, Path, parts_of
from keys.models import Partner

if TYPE_CHECKING:
    from collect.models.event import Event  # noqa: F401  # named below


class _OfAnyPartner(models.Func):
    """Every event has a partner. Said so, an index that begins with the partner can be read for each of them.

    PostgreSQL takes what a subquery gives as an array for the index; a join it would rather make with all events.
    """

    output_field = models.BooleanField()
    template = f"%(expressions)s IN (SELECT id FROM {Partner._meta.db_table})"  # noqa: S608  # a name of our own

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Any:
        """Return the SQL for PostgreSQL."""
        all_partners = f"ARRAY(SELECT id FROM {Partner._meta.db_table})"  # noqa: S608  # as above
        return self.as_sql(compiler, connection, template=f"%(expressions)s = ANY ({all_partners})")


class EventQuerySet(models.QuerySet["Event"]):
    """Events, narrowed down step by step: `Event.objects.reportable().of("Acme").between(start, end)`."""

    def reportable(self) -> Self:
        """Return the events that reports count: all but those of test keys. No index serves it."""
        return self.filter(is_test=False)

    def named(self, *names: str) -> Self:
        """Return the events with one of these names. No index serves it. Raises `BadQuery` without a name."""
        if not names or not all(isinstance(name, str) for name in names):
            raise BadQuery(f"names: {names!r} are none; write named('order_created', 'lead_created')")
        return self.filter(event_name__in=names)

    def of(self, partner: Partner | str) -> Self:
        """Return the events of a partner, or of the partner of this name.

        `event_arrival` (partner, received_at) serves it, best together with `between`. Raises `BadQuery` for a name
        that no partner has.
        """
        if isinstance(partner, Partner):
            return self.filter(partner=partner)
        if not isinstance(partner, str):
            raise BadQuery(f"partner: {partner!r} is neither a partner nor a name")
        found = Partner.objects.filter(name=partner).first()
        if found is None:
            raise BadQuery(f"partner: {Partner.objects.unknown(partner)}")
        return self.filter(partner=found)

    def between(self, start: datetime, end: datetime) -> Self:
        """Return the events received from `start` until before `end`.

        `event_arrival` (partner, received_at) serves it on both databases: after `of` at once, else partner by
        partner. Raises `BadQuery` for times without a zone, and for an end before the start.
        """
        _check_range(start, end)
        return self.filter(_OfAnyPartner(models.F("partner")), received_at__gte=start, received_at__lt=end)

    def happened_between(self, start: datetime, end: datetime) -> Self:
        """Return the events whose `timestamp`, the sender's word, is from `start` until before `end`.

        `event_happened`, a BRIN index, serves it on PostgreSQL; SQLite reads all events that the other methods leave.
        Raises `BadQuery` as `between` does.
        """
        _check_range(start, end)
        return self.filter(timestamp__gte=start, timestamp__lt=end)

    def where_param(self, path: Path, **conditions: Unpack[Conditions]) -> Self:
        """Return the events whose `params` have at `path` what all the conditions say.

        `path` is a key ("value"), keys and places in arrays joined by dots ("items.0.sku"), or a sequence of them
        (("a.b", 0)). Values compare with values of their own kind alone: `gte=50` means numbers, to the last digit;
        `eq="50"` the text; texts are in the order of their code points. `eq`, `gt`, `gte`, `lt`, `lte` compare;
        `contains` means an array with this element, or a text with this text in it; `exists` says whether anything
        is there, be it null; `is_null` asks whether what is there is null.

        An index of a key (`manage.py index_param KEY`) serves `eq`, `gt`, `gte`, `lt` and `lte` on the key itself,
        and `exists=True`, `contains` and `is_null` where few events have the key; without it all rows that the other
        methods leave are read. Raises `BadQuery`, which names the argument at fault.
        """
        return self.filter(param_holds(path, **conditions))


def param_holds(path: Path, **conditions: Unpack[Conditions]) -> models.Q:
    """Return what `where_param` filters by, as a condition. Raises `BadQuery` as it does."""
    parts = parts_of(path)
    return models.Q(*(ParamHolds(parts, condition) for condition in conditions_of(conditions)))


def _check_range(start: datetime, end: datetime) -> None:
    for name, moment in (("start", start), ("end", end)):
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise BadQuery(f"{name}: {moment!r} is no time with a zone; write datetime(2026, 11, 26, tzinfo=UTC)")
    if end < start:
        raise BadQuery(f"end: {end} is before the start, {start}")
