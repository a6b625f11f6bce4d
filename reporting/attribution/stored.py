"""The conversions of a range and the events that may show their touches, from the database.

A batch of conversions costs one pass over the touches, however many it has: no index leads to them. All that is stored
is looked at, not a window of it: an event of today may belong to a click of last year.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from sys import intern
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet, TextField
from django.db.models.functions import Cast

from keys.models import Partner
from reporting.attribution.attributing import Attribution, attribute
from reporting.attribution.journey import MATCHES, MOST, Conversion, Key, Shown
from reporting.attribution.rules import Rules
from reporting.models import ReportedConversion, ReportedEvent, ReportedTouch
from reporting.ranges import Range

# Conversions that one pass over the touches serves, and what is known of them in memory, some kilobytes each.
BATCH = 50_000
_AT_ONCE = 5_000

_OF_CONVERSION = (
    "id", "partner_id", "partner", "event_name", "event_id", "attribution_type", "value_e4", "currency", "value_issue",
    *MATCHES, "timestamp",
)  # fmt: skip
_OF_TOUCH = (
    "id", "partner_id", "kind", "interaction", "event_name", "event_id", "tag_id", *MATCHES, "received_at", "timestamp",
)  # fmt: skip
# They are read as text: psycopg takes much longer for a moment.
_MOMENTS = ("received_at", "timestamp")

_Row = TypeVar("_Row", bound=Model)

# A partner, a place in `MATCHES` and an id there: the earliest event of each touch that has it. None of too many.
_Evidence = dict[tuple[int, int, str], dict[Key, Shown] | None]


def conversions(over: Range, partner: Partner | None) -> "QuerySet[ReportedConversion]":
    """Return the conversions that happened in the range, of the partner or of all."""
    found = ReportedConversion.objects.filter(timestamp__gte=over.start, timestamp__lt=over.end)
    return found if partner is None else found.filter(partner_id=partner.pk)


def attributed(over: Range, rules: Rules, partner: Partner | None = None) -> Iterator[Attribution]:
    """Yield what each conversion of the range, and of the partner or of all, is attributed to, in no order.

    Raises `django.db.Error`.
    """
    rows = map(_conversion, _rows(conversions(over, partner), _OF_CONVERSION))
    while batch := list(islice(rows, BATCH)):
        yield from _attributed(batch, rules)


def one(event: ReportedEvent | ReportedConversion, rules: Rules) -> Attribution:
    """Return what the conversion is attributed to. Raises `django.db.Error`."""
    row = [getattr(event, name) for name in _OF_CONVERSION if name not in _MOMENTS]
    return next(_attributed([_conversion([*row, event.timestamp.isoformat()])], rules))


def _rows(found: "QuerySet[Any, Any]", names: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Yield these columns of the rows, a few rows at a time."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in names if name in _MOMENTS}
    columns = [name if name not in _MOMENTS else f"{name}_text" for name in names]
    yield from found.annotate(**texts).values_list(*columns).iterator(_AT_ONCE)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _conversion(row: Sequence[Any]) -> Conversion:
    id, partner_id, partner, name, event_id, type, value_e4, currency, issue, *ids, timestamp = row
    one, two, three, four, five = (id if id and not id.isspace() else None for id in ids)
    return Conversion(
        id, partner_id, partner, name, event_id, _moment(timestamp), (one, two, three, four, five),
        type, value_e4, currency, issue,
    )  # fmt: skip


def _attributed(batch: Sequence[Conversion], rules: Rules) -> Iterator[Attribution]:
    evidence = _evidence(batch)
    for conversion in batch:
        shared: list[int] = []
        events: list[Shown] = []
        for place, id in enumerate(conversion.ids):
            touches = {} if id is None else evidence.get((conversion.partner_id, place, id), {})
            if touches is None:
                shared.append(place)
            else:
                events += touches.values()
        yield attribute(conversion.without(shared), events, rules)


def _evidence(batch: Sequence[Conversion]) -> _Evidence:
    """Return, for each id of the conversions, the earliest event of each touch that has it: no other one decides."""
    wanted = [{id: id for conversion in batch if (id := conversion.ids[place])} for place in range(len(MATCHES))]
    found: _Evidence = {}
    for shown in _touches(wanted, {conversion.partner_id for conversion in batch}):
        key = shown.key
        for place, id in enumerate(shown.ids):
            if id is not None:
                _keep(found, (shown.partner_id, place, id), key, shown)
    return found


def _keep(found: _Evidence, where: tuple[int, int, str], key: Key, shown: Shown) -> None:
    touches = found.setdefault(where, {})
    if touches is None:
        return
    other = touches.get(key)
    if other is None or shown.place < other.place:
        touches[key] = shown
    if len(touches) > MOST:
        found[where] = None


def _touches(wanted: Sequence[Mapping[str, str]], partners: Collection[int]) -> Iterator[Shown]:
    """Yield the events of the partners that have one of the wanted ids; those that nobody wants are None in them."""
    used = {name: sorted(ids) for name, ids in zip(MATCHES, wanted, strict=True)}
    if any(used.values()):
        for row in _rows(any_of(ReportedTouch.objects.filter(partner_id__in=partners), used), _OF_TOUCH):
            yield _shown(row, wanted)


def _shown(row: Sequence[Any], wanted: Sequence[Mapping[str, str]]) -> Shown:
    id, partner_id, kind, interaction, name, event_id, tag, *ids, received_at, timestamp = row
    # A text that a million rows have is in memory once.
    one, two, three, four, five = (of.get(id) for of, id in zip(wanted, ids, strict=True))
    return Shown(
        id, partner_id, intern(kind), interaction, intern(name), event_id, intern(tag), _moment(received_at),
        _moment(timestamp), (one, two, three, four, five),
    )  # fmt: skip


def any_of(rows: "QuerySet[_Row]", wanted: Mapping[str, Sequence[str]]) -> "QuerySet[_Row]":
    """Return the rows that have, in one of the columns of text, one of its values. There may be very many values."""
    used = {name: values for name, values in wanted.items() if values}
    condition = " OR ".join(_is_any(name) for name in used) or "false"
    return rows.extra(  # noqa: S610  # our names alone
        where=[f"({condition})"], params=[_as_parameter(values) for values in used.values()]
    )


def _is_any(name: str) -> str:
    """Return the SQL of whether a column has one of many values: one parameter, looked up in a hash or a tree."""
    if connection.vendor == "postgresql":
        return f"{name} = ANY(%s)"
    return f"{name} IN (SELECT value FROM json_each(%s))"  # noqa: S608  # our names


def _as_parameter(values: Sequence[str]) -> Any:
    return list(values) if connection.vendor == "postgresql" else json.dumps(values, ensure_ascii=False)
