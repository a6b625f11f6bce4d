"""Writes rows to the database and tells what became of each. No other module knows the SQL that inserts events.

An event counts as written only after its COMMIT. Which rows were new is what the database says, never a guess.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

from django.db import DatabaseError, Error, IntegrityError, connection, models, transaction
from django.db.models.functions import Cast

from collect.models import ErasedEvent, Event
from collect.storage import marks, repetition
from collect.storage.outcomes import Outcome, Written
from collect.storage.rows import Arrival, Row
from runtime import failures

_ROUNDS = 3
# Tags that one query asks for. SQLite allows at most a thousand terms joined by OR.
_TAGS = 200


class NotStoredError(DatabaseError):
    """The database took a row without an error, and yet it is not there, nor one that it repeats."""


def write(arrivals: Sequence[Arrival]) -> list[Written]:
    """Store the arrivals durably in one statement; return what became of each, in their order.

    A second statement runs only if some were not new, to find the rows that they repeat. No transaction is open
    between the two: what was inserted is committed, and a sender that gets no answer tries again. Raises
    `django.db.Error`; then some arrivals may be stored, and writing the same ones again is safe.
    """
    results: dict[str, Written] = {}
    missing = _firsts_by_id(arrivals)
    for _ in range(_ROUNDS):
        new = _insert(missing)
        if len(new) == len(arrivals):
            return [Written(Outcome.STORED, arrival.row.id) for arrival in arrivals]
        results |= {id: Written(Outcome.STORED, id) for id in new}
        repeats = [arrival for arrival in missing if arrival.row.id not in new]
        results |= _judge(repeats)
        missing = [arrival for arrival in repeats if arrival.row.id not in results]
        if not missing:
            break
    else:
        raise NotStoredError("rows are neither new nor found: a trigger, a rule or row-level security may hide them")
    return _apart(arrivals, results)


def _firsts_by_id(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Return the arrivals without those whose id is that of an earlier one."""
    if len({arrival.row.id for arrival in arrivals}) == len(arrivals):
        return list(arrivals)
    firsts: dict[str, Arrival] = {}
    for arrival in arrivals:
        firsts.setdefault(arrival.row.id, arrival)
    return list(firsts.values())


def _apart(arrivals: Sequence[Arrival], results: Mapping[str, Written]) -> list[Written]:
    """Return the results in the order of the arrivals.

    Of arrivals with the same id, which only an import has, all but the first are repetitions.
    """
    if len(results) == len(arrivals):
        return [results[arrival.row.id] for arrival in arrivals]
    times = Counter(arrival.row.id for arrival in arrivals)
    seen: set[str] = set()
    found = []
    for arrival in arrivals:
        id = arrival.row.id
        first = results[id]
        is_new = id not in seen and first.outcome is Outcome.STORED and not first.again
        # Of those that were there, `results` has what became of the last one.
        found.append(first if is_new or times[id] == 1 else _judge([arrival]).get(id, first))
        seen.add(id)
    return found


def write_new(arrivals: Sequence[Arrival]) -> list[Written] | None:
    """Store all arrivals if every one is new.

    Return None, with nothing stored, if any exists, was erased, or is refused by the database. This is cheaper than
    `write`, which looks at the indexes before it inserts and tells which rows were new. It is meant for history, of
    which hardly any was seen before. Raises `django.db.Error` for a failure that is not a row's fault.
    """
    statement, _ = _statement(connection.vendor)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [_document(arrivals)])
            if cursor.rowcount != len(arrivals):  # some were erased
                raise IntegrityError
            _mark(arrivals)
    except Error as error:
        if failures.is_away(error):
            raise
        return None
    return [Written(Outcome.STORED, arrival.row.id) for arrival in arrivals]


def foresee(arrivals: Sequence[Arrival]) -> list[Written]:
    """Return the outcomes that `write` would give, without writing.

    Duplicates among the arrivals themselves are not detected. Raises `django.db.Error`.
    """
    there = _judge(arrivals)
    ids = [arrival.row.id for arrival in arrivals]
    return _apart(arrivals, {id: there.get(id, Written(Outcome.STORED, id)) for id in ids})


def _insert(arrivals: Sequence[Arrival]) -> set[str]:
    """Insert the rows that do not exist yet, and return the ids of those that were inserted."""
    # On SQLite a statement may wait long for its turn, so that only behind BEGIN it is known what is of the past.
    if connection.vendor == "postgresql" and not _of_the_past(arrivals):
        return _insert_new(arrivals)
    with transaction.atomic():
        new = _insert_new(arrivals)
        # Also what was there: the try that stored it may have committed long after its sender had given it up.
        _mark(_of_the_past(arrivals))
    return new


def _of_the_past(arrivals: Sequence[Arrival]) -> list[Arrival]:
    past = marks.past()
    return [arrival for arrival in arrivals if arrival.row.received_at < past]


def _mark(arrivals: Sequence[Arrival]) -> None:
    marks.note((arrival.row.partner_id, arrival.row.received_at) for arrival in arrivals)


def _insert_new(arrivals: Sequence[Arrival]) -> set[str]:
    statement, returned = _statement(connection.vendor)
    with connection.cursor() as cursor:
        # `ON CONFLICT` covers uniqueness only, never a bad value.
        cursor.execute(f"{statement} ON CONFLICT DO NOTHING RETURNING {returned}", [_document(arrivals)])
        return {id for (id,) in cursor.fetchall()}


def _document(arrivals: Sequence[Arrival]) -> str:
    """Return the rows as a JSON array, in the order of their idempotency keys, of equal keys the first one first.

    Two statements that insert the same keys in opposite orders wait for each other, and PostgreSQL ends one of them.
    """
    ordered = sorted(arrivals, key=_key)
    return (b"[" + b",".join([arrival.document for arrival in ordered]) + b"]").decode()


def _key(arrival: Arrival) -> tuple[str, str, int]:
    row = arrival.row
    # What differs most comes first: then one comparison is enough.
    return row.event_id or "", row.tag_id, row.partner_id


# SQL that turns a value of the row's JSON into Django's form on SQLite. PostgreSQL's types read JSON's as they are.
_SQLITE_FORMS = {
    "UUIDField": "replace({}, '-', '')",
    "DateTimeField": "replace(replace({}, 'T', ' '), 'Z', '')",
}


@cache
def _statement(vendor: str) -> tuple[str, str]:
    """Return an INSERT whose one parameter is a JSON array of rows, and the SQL of the id as text, for RETURNING."""
    table, fields = Event._meta.db_table, Event._meta.concrete_fields
    columns = ", ".join(str(field.column) for field in fields)
    if vendor == "postgresql":
        selected, source, returned = columns, f"json_populate_recordset(NULL::{table}, %s::json)", "id::text"
        digest = f"encode(sha256(convert_to({_DIGESTED}, 'UTF8')), 'hex')"
    else:
        selected = ", ".join(_sqlite_value(field) for field in fields)
        source, returned = "json_each(%s)", _dashed("id")
        names = ("partner_id", "tag_id", "event_id", "id")
        sent = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in names)
        digest = f"(SELECT SHA256({_DIGESTED}) FROM (SELECT {sent}))"  # noqa: S608  # Django's function
    erased = f"SELECT 1 FROM {ErasedEvent._meta.db_table}"  # noqa: S608
    return (
        f"INSERT INTO {table} ({columns}) SELECT {selected} FROM {source} "  # noqa: S608  # names of our own model
        # Ask once a statement whether anything was ever erased: if nothing was, no digest has to be computed.
        f"WHERE NOT (EXISTS ({erased}) AND EXISTS ({erased} WHERE digest = {digest}))",
        returned,
    )


# What identifies an erased event, in SQL as in `digest`: its idempotency key or, without one, its id.
_DIGESTED = "coalesce(partner_id || ':' || length(tag_id) || ':' || tag_id || event_id, partner_id || '#' || id)"


def digest(row: Row | Event) -> str:
    """Return the SHA-256, in hex, that identifies an event once it is erased (`ErasedEvent.digest`)."""
    if row.event_id is None:
        text = f"{row.partner_id}#{row.id}"
    else:
        text = f"{row.partner_id}:{len(row.tag_id)}:{row.tag_id}{row.event_id}"
    return hashlib.sha256(text.encode()).hexdigest()


def _sqlite_value(field: "models.Field[object, object]") -> str:
    return _SQLITE_FORMS.get(field.get_internal_type(), "{}").format(f"json_extract(value, '$.{field.column}')")


def _dashed(column: str) -> str:
    parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return " || '-' || ".join(f"substr({column}, {start}, {length})" for start, length in parts)


def _judge(repeats: Sequence[Arrival]) -> dict[str, Written]:
    """Return what became of rows that were not new, by id. A row whose stored counterpart is not found is left out."""
    keyed = [arrival for arrival in repeats if arrival.row.event_id is not None]
    firsts = _firsts(keyed) if keyed else {}
    results: dict[str, Written] = {}
    unsettled = []
    for arrival in repeats:
        row = arrival.row
        if (first := firsts.get((row.partner_id, row.tag_id, row.event_id))) is not None:
            results[row.id] = _compare(row, first)
        else:
            unsettled.append(row)
    return results | _erased_or_again(unsettled) if unsettled else results


def _erased_or_again(repeats: Sequence[Row]) -> dict[str, Written]:
    """Judge rows that repeat no stored idempotency key: some were erased, and some are stored under their own id."""
    digests = {row.id: digest(row) for row in repeats}
    erased = dict(ErasedEvent.objects.filter(pk__in=digests.values()).values_list("digest", "event"))
    there = {str(event.id): event for event in _comparable().filter(pk__in=digests)}
    results = {}
    for row in repeats:
        if (event := erased.get(digests[row.id])) is not None:
            # Nothing of the erased event is left to compare it with.
            results[row.id] = Written(Outcome.DUPLICATE, str(event))
        elif (first := there.get(row.id)) is not None:
            results[row.id] = _compare(row, first)
    return results


def _compare(row: Row, first: Event) -> Written:
    first_id = str(first.id)
    moved = tuple(name for name in ("partner_id", "tag_id", "event_id") if getattr(row, name) != getattr(first, name))
    if differing := moved + repetition.differing(row, first):
        return Written(Outcome.CONFLICT, first_id, differing)
    if first_id == row.id:
        return Written(Outcome.STORED, first_id, again=True)
    return Written(Outcome.DUPLICATE, first_id)


def _comparable() -> "models.QuerySet[Event]":
    """Return the stored rows in the form that `repetition` compares: with their JSON as exact text."""
    texts = {f"{name}_text": Cast(name, models.TextField()) for name in repetition.JSON_COLUMNS}
    return Event.objects.defer(*repetition.JSON_COLUMNS).annotate(**texts)


def _firsts(repeats: Sequence[Arrival]) -> dict[tuple[int, str, str | None], Event]:
    """Return the stored rows under the idempotency keys of `repeats`, in one query unless they have very many tags."""
    ids: dict[tuple[int, str], set[str | None]] = defaultdict(set)
    for row in (arrival.row for arrival in repeats):
        ids[row.partner_id, row.tag_id].add(row.event_id)
    # Pair each tag with its own ids: if a hundred shops all count their orders from one, all pairs would be many.
    keys = [models.Q(partner=partner, tag_id=tag, event_id__in=found) for (partner, tag), found in ids.items()]
    found = [
        event
        for start in range(0, len(keys), _TAGS)
        for event in _comparable().filter(models.Q(*keys[start : start + _TAGS], _connector=models.Q.OR))
    ]
    return {(event.partner_id, event.tag_id, event.event_id): event for event in found}
