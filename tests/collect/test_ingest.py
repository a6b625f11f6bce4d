"""The last step: neighbours of a poison row, conflicts on the ledger, and a database that fails."""

import pytest
from django.db import OperationalError

from collect import ingest, ledger, rows, store
from collect.models import Event, Rejection
from tests import factories
from thrad_events.errors import Unavailable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source():
    api_key, _ = factories.key()
    return factories.source(api_key)


def poison(source):
    """A row that passed the contract, as a hole in it would let one pass, and that no database takes."""
    arrival = factories.arrival(source, event_id="poison")
    arrival.row.event_name = None
    return rows.Arrival(arrival.row, rows.encode(arrival.row), arrival.body, "poisoned")


@pytest.mark.parametrize("place", [0, 3, 6])
def test_one_poison_row_never_fails_its_neighbours(source, place):
    arrivals = [factories.arrival(source, event_id=str(n)) for n in range(6)]
    arrivals.insert(place, poison(source))
    outcomes = [result.outcome for result in ingest.submit(arrivals)]
    assert outcomes == ["stored"] * place + ["rejected"] + ["stored"] * (6 - place)
    assert Event.objects.count() == 6
    rejection = Rejection.objects.get()
    assert (rejection.request_id, rejection.code) == ("poisoned", "invalid_event")
    assert rejection.detail == "The database cannot keep this event"


def test_group_of_nothing_but_poison_is_rejected(source):
    results = ingest.submit([poison(source) for _ in range(3)])
    assert [result.outcome for result in results] == ["rejected"] * 3
    assert Rejection.objects.count() == 3


def test_no_arrivals_are_no_statement(source, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert ingest.submit([]) == []


def test_database_that_fails_is_unavailable_and_never_a_result(source, monkeypatch):
    def fail(arrivals):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(store, "write", fail)
    with pytest.raises(Unavailable):
        ingest.submit([factories.arrival(source)])
    assert not Event.objects.exists()


def test_rejection_that_cannot_be_kept_changes_no_answer(source, monkeypatch, caplog):
    def fail(refused):
        raise OperationalError("away")

    monkeypatch.setattr(ledger, "keep", fail)
    ingest.reject([])
    assert "could not be kept" in caplog.text
