"""The ledger's rows: adding to them, and folding minutes into hours. No other module knows their SQL."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from collect.models import LedgerBatch, LedgerEntry, LedgerGap
from collect.storage.ledger.tally import Amount, Entry

# Rows in one statement; SQLite takes 32,766 parameters, and a row has eleven.
_STEP = 500
_COLUMNS = "start, partner_id, api_key_id, is_test, endpoint, outcome, code, minutes, events, requests, bytes"
_KEYED = "(api_key_id, start, minutes, endpoint, outcome, code) WHERE api_key_id IS NOT NULL"
_KEYLESS = "(partner_id, is_test, start, minutes, endpoint, outcome, code) WHERE api_key_id IS NULL"
# Thirteen months: this month can be compared with the same one a year before.
KEPT = timedelta(days=400)
# The order in which rows are locked, which is that of `add`.
_ORDER = ("api_key_id", "start", "partner_id", "is_test", "endpoint", "outcome", "code")
# How long a batch that waited in a spool is remembered, should it come again.
_REMEMBERED = timedelta(days=30)


def total(counted: Iterable[tuple[Entry, Amount]]) -> dict[Entry, Amount]:
    """Return the sum of each entry."""
    found: dict[Entry, Amount] = defaultdict(Amount)
    for entry, amount in counted:
        found[entry] = found[entry].plus(amount)
    return dict(found)


def add(counts: Mapping[Entry, Amount]) -> None:
    """Add to the ledger, inside the transaction of the caller if there is one. Raises `django.db.Error`."""
    for conflict, is_keyed in ((_KEYED, True), (_KEYLESS, False)):
        # In one order, so that two processes never wait for each other's rows.
        rows = sorted(
            ((entry, amount) for entry, amount in counts.items() if (entry.api_key_id is not None) is is_keyed),
            key=lambda pair: (pair[0].api_key_id or 0, *pair[0][:2], *pair[0][3:]),
        )
        for start in range(0, len(rows), _STEP):
            _add(rows[start : start + _STEP], conflict)


def _add(rows: list[tuple[Entry, Amount]], conflict: str) -> None:
    table = LedgerEntry._meta.db_table
    values = ", ".join(["(" + ", ".join(["%s"] * 11) + ")"] * len(rows))
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in Amount._fields)
    moment = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({_COLUMNS}) VALUES {values} ON CONFLICT {conflict} DO UPDATE SET {sums}",  # noqa: S608
            [value for entry, amount in rows for value in (moment(entry.start), *entry[1:], *amount)],
        )


def add_once(batches: Mapping[UUID, Mapping[Entry, Amount]], now: datetime, *, known: UUID | None = None) -> None:
    """Add those of the batches that the ledger does not have, in one transaction.

    The commit of one that it has may have been answered by nothing but a broken connection. `known` is an earlier batch
    that will not come again, and so is forgotten. Raises `django.db.Error`.
    """
    with transaction.atomic():
        new = [counts for batch, counts in sorted(batches.items()) if _is_new(batch, now)]
        add(total(pair for counts in new for pair in counts.items()))
        if known is not None:
            LedgerBatch.objects.filter(pk=known).delete()


def _is_new(batch: UUID, now: datetime) -> bool:
    table, moment = LedgerBatch._meta.db_table, connection.ops.adapt_datetimefield_value(now)
    # As the model writes an id, which is a text where the database has no type for it.
    name = LedgerBatch._meta.pk.get_db_prep_value(batch, connection)
    with connection.cursor() as cursor:
        insert = f"INSERT INTO {table} (id, added_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"  # noqa: S608
        cursor.execute(insert, [name, moment])
        return bool(cursor.rowcount == 1)


def fold(before: datetime) -> int:
    """Make entries of an hour from those of its minutes: some of one hour, that ends at `before` or earlier.

    Return the number of entries that were folded, 0 where there are none. Raises `django.db.Error`.
    """
    minutes = LedgerEntry.objects.filter(minutes=1)
    oldest = minutes.filter(start__lt=before.replace(minute=0, second=0, microsecond=0)).order_by("start").first()
    if oldest is None:
        return 0
    hour = oldest.start.replace(minute=0)
    of_hour = minutes.filter(start__gte=hour, start__lt=hour + timedelta(hours=1)).order_by(*_ORDER)
    with transaction.atomic():
        # Another process that folds the same hour waits here, and then finds others. Locked in the order of `add`.
        found = list(of_hour.select_for_update()[:_STEP])
        add(by_hour(dict(map(_counts, found))))
        LedgerEntry.objects.filter(pk__in=[row.pk for row in found]).delete()
    return len(found)


def by_hour(counts: Mapping[Entry, Amount]) -> dict[Entry, Amount]:
    """Return the counts of the hours in which these ones lie."""
    return total((entry._replace(start=entry.start.replace(minute=0), minutes=60), counts[entry]) for entry in counts)


def _counts(row: LedgerEntry) -> tuple[Entry, Amount]:
    values = [getattr(row, name) for name in (*Entry._fields, *Amount._fields)]
    return Entry(*values[: len(Entry._fields)]), Amount(*values[len(Entry._fields) :])


def prune(now: datetime) -> None:
    """Delete what is too old to be asked for, and forget batches that will not come again.

    Raises `django.db.Error`.
    """
    LedgerEntry.objects.filter(start__lt=now - KEPT).delete()
    LedgerGap.objects.filter(end__lt=now - KEPT).delete()
    LedgerBatch.objects.filter(added_at__lt=now - _REMEMBERED).delete()
