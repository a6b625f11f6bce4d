"""The last step: neighbours of a poison row, conflicts among the rejections, and a database that fails."""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, cast

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries

from collect.intake import contract
from collect.intake.source import Source
from collect.models import Event, Rejection
from collect.storage import ingest, rejections, spool, store
from collect.storage.ledger import tally
from collect.storage.ledger.tally import Endpoint, Tally
from collect.storage.outcomes import Outcome, Written
from collect.storage.rejections import Record
from collect.storage.rows import Arrival
from runtime import outage
from runtime.refusals import Unavailable
from tests.harness import factories
from tests.harness.databases import failure

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])


@pytest.fixture
def source() -> Source:
    api_key, _ = factories.key()
    return factories.source(api_key)


def tallied(source: Source, events: int) -> Tally:
    """What a request with so many events is counted by."""
    return tally.receive(source, Endpoint.BATCH, events, 2 * events)


def poison(source: Source) -> Arrival:
    """A row that passed the contract, as a hole in it would let one pass, and that no database takes."""
    arrival = factories.arrival(source, event_id="poison")
    cast(Any, arrival.row).event_name = None
    return Arrival.of(arrival.row, arrival.body, "poisoned", arrival.tally)


@pytest.mark.parametrize("place", [0, 3, 6])
def test_one_poison_row_never_fails_its_neighbours(source: Source, place: int) -> None:
    arrivals = [factories.arrival(source, event_id=str(n)) for n in range(6)]
    arrivals.insert(place, poison(source))
    outcomes = [result.outcome for result in ingest.submit(arrivals)]
    assert outcomes == ["stored"] * place + ["rejected"] + ["stored"] * (6 - place)
    assert Event.objects.count() == 6
    rejection = Rejection.objects.get()
    assert (rejection.request_id, rejection.code) == ("poisoned", "invalid_event")
    assert rejection.detail == "The database cannot keep this event"


def test_group_of_nothing_but_poison_is_rejected(source: Source) -> None:
    results = ingest.submit([poison(source) for _ in range(3)])
    assert [result.outcome for result in results] == ["rejected"] * 3
    assert Rejection.objects.count() == 3


def test_no_arrivals_are_no_statement(source: Source, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert ingest.submit([]) == []


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Arrival]]:
    """A store that fails, each time, and what it was asked to write."""
    asked = []

    def fail(arrivals: Sequence[Arrival]) -> NoReturn:
        asked.append(arrivals)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(store, "write", fail)
    return asked


def test_database_that_fails_without_a_spool_is_unavailable_and_never_a_result(
    source: Source, failing: list[Sequence[Arrival]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: False)
    for _ in range(2):
        with pytest.raises(Unavailable):
            ingest.submit([factories.arrival(source)])
    assert len(failing) == 2
    assert not Event.objects.exists()
    assert spool.head() is None


def test_database_that_fails_is_left_alone_and_events_are_spooled(
    source: Source, failing: list[Sequence[Arrival]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    arrivals = [factories.arrival(source, event_id=str(n)) for n in range(3)]
    for arrival in arrivals:
        assert ingest.submit([arrival]) == [Written(Outcome.SPOOLED, arrival.row.id)]
    assert len(failing) == 1
    waiting = spool.take(10)
    assert [one.arrival[:4] for one in waiting] == [arrival[:4] for arrival in arrivals]
    spool.discard(waiting)


def test_open_connection_is_used_although_another_part_of_the_process_gets_none(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    outage.database.open(OperationalError("too many connections for role"))
    with connection.cursor():
        pass
    (written,) = ingest.submit([factories.arrival(source)])
    assert written.outcome is Outcome.STORED


def test_spool_that_cannot_take_an_event_is_unavailable(
    source: Source, failing: list[Sequence[Arrival]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(arrivals: Sequence[Arrival]) -> NoReturn:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    monkeypatch.setattr(spool, "append", full)
    with pytest.raises(Unavailable):
        ingest.submit([factories.arrival(source)])


def test_rejections_are_kept_in_steps_of_what_may_wait(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(rejections, "keep", lambda refused: kept.append(len(refused)))
    refusal = contract.poisoned()
    ingest.reject(tallied(source, 1_100), [Record.of_refusal(refusal, source, b"{}", "id") for _ in range(1_100)])
    assert kept == [500, 500, 100]


def test_rejection_that_cannot_be_kept_changes_no_answer(
    source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(refused: Iterable[Record]) -> NoReturn:
        raise OperationalError("away")

    monkeypatch.setattr(rejections, "keep", fail)
    ingest.reject(tallied(source, 1), [Record.of_refusal(contract.poisoned(), source, b"{}", "id")])
    assert "could not be kept" in caplog.text


@pytest.mark.parametrize("road", ["a refused request", "a refused row"])
def test_rejections_whose_transaction_is_rolled_back_for_another_are_tried_again(
    source: Source, monkeypatch: pytest.MonkeyPatch, road: str
) -> None:
    tries: list[int] = []
    original = rejections.keep

    def keep(records: Sequence[Record]) -> None:
        tries.append(len(records))
        if len(tries) < 3:
            raise failure("40P01", OperationalError)
        original(records)

    monkeypatch.setattr(rejections, "keep", keep)
    if road == "a refused row":
        assert [written.outcome for written in ingest.submit([poison(source)])] == ["rejected"]
    else:
        ingest.reject(tallied(source, 1), [Record.of_refusal(contract.poisoned(), source, b"{}", "id")])
    assert tries == [1, 1, 1]
    assert Rejection.objects.count() == 1


@pytest.mark.postgresql
def test_rejections_are_kept_although_the_connection_has_broken(source: Source) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    other.close()
    ingest.reject(tallied(source, 1), [Record.of_refusal(contract.poisoned(), source, b"{}", "id")])
    assert Rejection.objects.count() == 1
