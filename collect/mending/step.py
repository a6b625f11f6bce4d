"""One step of a replay: some rejections, mended and judged, become events in one transaction, or are foreseen to.

A preview makes the very same writes and rolls them back at once, so that it says what the replay will do, to the row
that only the database refuses. What its earlier steps would have stored is written once more in front of each step.
Judging takes the time and is done before the transaction, which holds up senders of the same events only for its
statements.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from django.db import Error, connection, transaction

from collect import assembly
from collect.enrichment import geo
from collect.intake import contract
from collect.intake.source import Source
from collect.mending.operations import Operation, mended
from collect.models import Rejection
from collect.storage import late, store
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Endpoint, Entry
from collect.storage.outcomes import CODES, Outcome, Written
from collect.storage.rejections import MAX_KEPT_BODY
from collect.storage.rows import Arrival, Row, uuid7_of
from runtime import failures
from runtime.refusals import Code, Refusal

# What can become of a rejection. One that is refused again has its code behind the word.
STORED, DUPLICATE, REFUSED = "stored", "duplicate", "still refused: "
EARLIER, GONE = "replayed before", "pruned or erased meanwhile"
CUT = "left: the body was kept in part only"
# Rejections in a step, with bodies of up to 64 KiB.
SIZE = 100


class Fate(NamedTuple):
    """What became of a rejection, and why it is still refused. `event` is the one that it became, or collides with."""

    what: str
    why: str = ""
    event: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether there is an event now that was not there before."""
        return self.what == STORED


class Judged(NamedTuple):
    """A rejection with its event as it is now, or with its fate where there is none."""

    rejection: int
    arrival: Arrival | None
    fate: Fate


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges rejections as they are mended: by operations, and by whole bodies in the place of theirs, by id."""

    operations: Sequence[Operation] = ()
    bodies: Mapping[int, bytes] = field(default_factory=dict)

    def __call__(self, rejection: Rejection) -> Judged:
        """Return the event that the rejection is by today's rules, with the restrictions that its key has today."""
        if rejection.replayed_as is not None:
            return Judged(rejection.pk, None, Fate(EARLIER))
        body = self.bodies.get(rejection.pk)
        if body is None:
            if rejection.body_size > MAX_KEPT_BODY:
                return Judged(rejection.pk, None, Fate(CUT))
            body = bytes(rejection.body)
        try:
            arrival = _arrival(rejection, mended(body, self.operations))
        except Refusal as refusal:
            return Judged(rejection.pk, None, Fate(REFUSED + refusal.code, refusal.detail))
        return Judged(rejection.pk, arrival, Fate(STORED))


def _arrival(rejection: Rejection, body: bytes) -> Arrival:
    key = rejection.api_key
    source = Source(
        partner_id=rejection.partner_id,
        api_key_id=key.pk,
        is_test=key.is_test,
        received_at=rejection.received_at,
        ip_address=rejection.ip_address,
        geo=geo.lookup(rejection.ip_address),
        tags=key.tags,
    )
    digest = hashlib.sha256(f"rejection {rejection.pk}".encode()).digest()
    row = assembly.build(contract.decode(body), source, uuid7_of(digest, rejection.received_at))
    return Arrival.of(row, body, rejection.request_id)


def replay(step: Sequence[Judged]) -> list[Fate]:
    """Store the events, link the rejections to them and count them in the ledger, all or nothing; return the fates.

    Call it in a transaction, which is lost if this raises `django.db.Error`: the database is away, or it rolled the
    transaction back for the sake of another one.
    """
    fates = _written(step, ())
    pairs = zip(step, fates, strict=True)
    _link({judged.rejection: fate.event for judged, fate in pairs if fate.event and fate.what in (STORED, DUPLICATE)})
    stored = [judged.arrival for judged, fate in zip(step, fates, strict=True) if judged.arrival and fate.is_new]
    entries.add(entries.total((_entry(arrival.row), Amount(events=1)) for arrival in stored))
    written = [Written(Outcome.STORED, arrival.row.id) for arrival in stored]
    transaction.on_commit(lambda: late.note(late.REPLAY, stored, written), robust=True)
    return fates


def _link(events: Mapping[int, str]) -> None:
    """Note the event that each rejection became. `bulk_update` would take far longer than the events themselves did."""
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    name = Rejection._meta.get_field("replayed_as").get_db_prep_value
    rows = [(name(UUID(event), connection), now, rejection) for rejection, event in events.items()]
    table = Rejection._meta.db_table
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET replayed_as = %s, replayed_at = %s WHERE id = %s", rows)  # noqa: S608


def _entry(row: Row) -> Entry:
    start = row.received_at.replace(second=0, microsecond=0)
    return Entry(start, row.partner_id, row.api_key_id, row.is_test, Endpoint.REPLAY, Outcome.STORED)


class Firsts(Protocol):
    """The rejections that the earlier steps of a preview would have stored, by the digests of their events."""

    def find(self, digests: Iterable[str]) -> set[int]:
        """Return the ids of the rejections whose events have one of the digests."""

    def add(self, found: Mapping[str, int]) -> None:
        """Remember more of them."""


class Remembered:
    """Firsts in memory, for a preview that one process makes from beginning to end."""

    def __init__(self) -> None:
        self._rejections: dict[str, int] = {}

    def find(self, digests: Iterable[str]) -> set[int]:
        """Return the ids of the rejections whose events have one of the digests."""
        return {self._rejections[digest] for digest in digests if digest in self._rejections}

    def add(self, found: Mapping[str, int]) -> None:
        """Remember more of them."""
        self._rejections.update(found)


def preview(step: Sequence[Judged], judge: Judge, firsts: Firsts) -> list[Fate]:
    """Return what `replay` would make of the step after the steps before it. Nothing stays written but the `firsts`.

    Raises `django.db.Error` as `replay` does.
    """
    digests = {
        judged.rejection: store.digest(judged.arrival.row)
        for judged in step
        if judged.arrival is not None and judged.arrival.row.event_id is not None
    }
    before = Rejection.objects.filter(pk__in=firsts.find(digests.values())).select_related("api_key").order_by("pk")
    earlier = [arrival for rejection in before if (arrival := judge(rejection).arrival) is not None]
    with transaction.atomic():
        fates = _written(step, earlier)
        transaction.set_rollback(True)
    stored = [judged.rejection for judged, fate in zip(step, fates, strict=True) if fate.is_new]
    firsts.add({digests[rejection]: rejection for rejection in stored if rejection in digests})
    return fates


def _written(step: Sequence[Judged], earlier: Sequence[Arrival]) -> list[Fate]:
    """Write what came `earlier`, and then the step; return what became of each rejection of the step."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # What would fail at the commit fails at its own row, in a preview too.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    # A process that replays the same rejections at this moment waits here, and then finds that it was done.
    locked = Rejection.objects.select_for_update().filter(pk__in=[judged.rejection for judged in step]).order_by("pk")
    replayed = dict(locked.values_list("pk", "replayed_as"))
    waiting = [
        judged.arrival
        for judged in step
        if judged.arrival is not None and replayed.get(judged.rejection, EARLIER) is None
    ]
    everything = [*earlier, *waiting] if waiting else []
    written = {arrival.row.id: fate for arrival, fate in zip(everything, _fates(everything), strict=True)}

    def fate(judged: Judged) -> Fate:
        if judged.arrival is None:
            return judged.fate
        if judged.rejection not in replayed:
            return Fate(GONE)
        return Fate(EARLIER) if replayed[judged.rejection] is not None else written[judged.arrival.row.id]

    return [fate(judged) for judged in step]


def _fates(arrivals: Sequence[Arrival]) -> list[Fate]:
    """Write the arrivals in one statement or, if the database refuses one of them, each alone."""
    if not arrivals:
        return []
    try:
        with transaction.atomic():
            return list(map(_fate, store.write(arrivals)))
    except Error as error:
        _raise_unless_of_a_row(error)
    return list(map(_alone, arrivals))


def _alone(arrival: Arrival) -> Fate:
    try:
        with transaction.atomic():
            return _fate(*store.write([arrival]))
    except Error as error:
        _raise_unless_of_a_row(error)
        return Fate(REFUSED + Code.INVALID_EVENT, f"{contract.poisoned().detail}: {failures.reason(error)}")


def _raise_unless_of_a_row(error: Error) -> None:
    if failures.is_away(error) or failures.is_rolled_back(error):
        raise error


def _fate(written: Written) -> Fate:
    if written.outcome is Outcome.CONFLICT:
        return Fate(REFUSED + CODES[Outcome.CONFLICT], written.difference, written.id)
    # A row that is there under the rejection's own id was stored by a replay of which the link was lost.
    is_new = written.outcome is Outcome.STORED and not written.again
    return Fate(STORED if is_new else DUPLICATE, event=written.id)


class Tally:
    """Counts what became of rejections, and why those that are still refused are."""

    # How many different reasons are told apart; the rest is counted together.
    REASONS, OTHERS = 20, "other reasons"

    def __init__(self, counts: Mapping[str, int] | None = None, reasons: Mapping[str, int] | None = None) -> None:
        self.counts: Counter[str] = Counter(counts or {})
        self.reasons: Counter[str] = Counter(reasons or {})

    def add(self, fates: Iterable[Fate]) -> None:
        """Count these as well."""
        for fate in fates:
            self.counts[fate.what] += 1
            if fate.why:
                is_known = fate.why in self.reasons or len(self.reasons) < self.REASONS
                self.reasons[fate.why if is_known else self.OTHERS] += 1
