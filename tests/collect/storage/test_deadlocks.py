"""Two writers of the same keys at the same moment, in opposite orders, as two workers whose senders try again."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import Error, OperationalError, connection, connections, transaction

from collect.intake.source import Source
from collect.models import Event
from collect.storage import ingest, store
from collect.storage.outcomes import Outcome, Written
from collect.storage.rows import Arrival
from tests.harness import factories
from tests.harness.databases import failure

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS, KEYS = 10, 300


@pytest.fixture
def source() -> Source:
    api_key, _ = factories.key()
    return factories.source(api_key)


def test_same_keys_in_opposite_orders_never_deadlock(source: Source) -> None:
    def write(numbers: range) -> Counter[Outcome]:
        try:
            outcomes: Counter[Outcome] = Counter()
            for number in range(ROUNDS):
                arrivals = [factories.arrival(source, event_id=f"{number}-{n:03}") for n in numbers]
                starts.wait(30)
                outcomes.update(written.outcome for written in store.write(arrivals))
            return outcomes
        finally:
            connections.close_all()

    starts = Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        ways = list(threads.map(write, [range(KEYS), range(KEYS - 1, -1, -1)]))
    assert sum(ways, Counter()) == {Outcome.STORED: ROUNDS * KEYS, Outcome.DUPLICATE: ROUNDS * KEYS}
    assert Event.objects.count() == ROUNDS * KEYS


def test_of_equal_keys_in_one_statement_the_first_is_stored(source: Source) -> None:
    arrivals = [factories.arrival(source, event_id=id, params={"n": n}) for n, id in enumerate("bcabca")]
    assert [written.outcome for written in store.write(arrivals)] == ["stored"] * 3 + ["conflict"] * 3
    assert {event.params["n"] for event in Event.objects.all()} == {0, 1, 2}


def test_of_equal_ids_in_one_statement_the_first_is_stored(source: Source) -> None:
    """As in a file in which one event stands twice, changed in between: sorted by their keys the second comes first."""
    first, changed = (factories.arrival(source, event_id=event_id) for event_id in ("b", "a"))
    changed.row.id = id = first.row.id
    results = store.write([first, Arrival.of(changed.row, changed.body, "")])
    assert results == [Written(Outcome.STORED, id), Written(Outcome.CONFLICT, id, ("event_id",))]
    assert Event.objects.get().event_id == "b"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[int]]:
    """A store whose first calls fail with an SQLSTATE; it gives how many arrivals each call had."""

    def fail(sqlstate: str, times: int) -> list[int]:
        calls: list[int] = []
        write = store.write

        def written(arrivals: list[Arrival]) -> list[Written]:
            calls.append(len(arrivals))
            if len(calls) <= times:
                raise failure(sqlstate, OperationalError)
            return write(arrivals)

        monkeypatch.setattr(store, "write", written)
        return calls

    return fail


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
def test_statement_that_is_rolled_back_for_another_is_sent_again(
    source: Source, failing: Callable[[str, int], list[int]], sqlstate: str
) -> None:
    calls = failing(sqlstate, 2)
    assert [written.outcome for written in ingest.write([factories.arrival(source) for _ in range(4)])] == [
        "stored"
    ] * 4
    assert calls == [4, 4, 4]


def test_statement_inside_a_transaction_is_not_sent_again(
    source: Source, failing: Callable[[str, int], list[int]]
) -> None:
    """The transaction is lost, with what it did before: only its owner can begin it again."""
    calls = failing("40P01", 1)
    with pytest.raises(Error), transaction.atomic():
        ingest.write([factories.arrival(source)])
    assert calls == [1]
    assert not connection.in_atomic_block
