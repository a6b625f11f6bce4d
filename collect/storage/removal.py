"""Deletes events, and says in the ledger that they went: what was stored and is not there has a reason."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

from collect.models import Event
from collect.search import runs
from collect.storage import marks
from collect.storage.ledger import entries
from collect.storage.ledger.tally import ERASED, PRUNED, Amount, Endpoint, Entry

# Sent in the transaction that deletes the events: before it does, with their `ids` and `why`; and when it has, with
# the partner and `received_at` of each.
removing, removed = Signal(), Signal()

_OUTCOMES = {Endpoint.PRUNE: PRUNED, Endpoint.ERASE: ERASED}


def remove(ids: Sequence[UUID], why: Endpoint) -> int:
    """Delete the events and count them, both or neither; return how many there were. Raises `django.db.Error`."""
    with transaction.atomic():
        found = [event for partner, its in _by_partner(ids) for event in _locked(partner, its)]
        removing.send(sender=Event, ids=[event.pk for event in found], why=why)
        entries.add(entries.total((_entry(event, why), Amount(1)) for event in found))
        for partner, events in groupby(found, key=attrgetter("partner_id")):
            Event.objects.filter(partner=partner, pk__in=[event.pk for event in events]).delete()
        received = [(event.partner_id, event.received_at) for event in found]
        if why is Endpoint.ERASE:
            # Pruned events stay in the counts of the past: whoever keeps those does it in this transaction.
            marks.note(received)
        removed.send(sender=Event, received=received, why=why)
    runs.suspect(event.pk for event in found)
    return len(found)


def _by_partner(ids: Sequence[UUID]) -> list[tuple[int, list[UUID]]]:
    """Return the ids of each partner, in one order for all. A table spread by partner locks rows of one at a time."""
    pairs = sorted(Event.objects.filter(pk__in=ids).values_list("partner_id", "pk"))
    return [(partner, [pk for _, pk in its]) for partner, its in groupby(pairs, key=itemgetter(0))]


def _locked(partner: int, ids: Sequence[UUID]) -> Iterable[Event]:
    # Another process that deletes the same ones waits here, and then finds none.
    rows = Event.objects.filter(partner=partner, pk__in=ids).order_by("pk").select_for_update()
    return rows.only("pk", "received_at", "partner_id", "api_key_id", "is_test")


def _entry(event: Event, why: Endpoint) -> Entry:
    start = event.received_at.replace(second=0, microsecond=0)
    return Entry(start, event.partner_id, event.api_key_id, event.is_test, why, _OUTCOMES[why])
