"""Whatever stores events late or deletes some marks the runs in which they lie, so that these are checked next."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from collect.models import Event, SearchRun
from collect.search import runs
from collect.storage import late, store
from collect.storage.ledger.tally import Endpoint
from collect.storage.removal import remove
from collect.storage.rows import Arrival, uuid7
from keys.models import ApiKey
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC)
MONTHS = [NOW - timedelta(days=30 * month) for month in range(5)]


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


@pytest.fixture(autouse=True)
def months(db: None) -> None:
    """A run for each of four months, and a fifth for all time before."""
    borders = [UUID(uuid7(month, 0)) for month in MONTHS]
    for later, earlier in zip(borders, [*borders[1:], runs.FIRST], strict=True):
        runs.make(earlier, later)


def suspects() -> list[int]:
    """The numbers of the months whose runs are suspect: 0 is the newest."""
    untils = [UUID(uuid7(month, 0)) for month in MONTHS]
    return sorted(untils.index(run.until) for run in SearchRun.objects.filter(is_suspect=True))


def arrival(key: ApiKey, at: datetime) -> Arrival:
    return factories.arrival(factories.source(key, received_at=at))


@pytest.mark.parametrize("road", [late.DELAY, late.SPOOL, late.IMPORT, late.REPLAY])
def test_events_that_come_late_mark_the_runs_of_their_time(key: ApiKey, road: str) -> None:
    arrivals = [arrival(key, MONTHS[2] - timedelta(days=days)) for days in (1, 5)]
    late.note(road, arrivals, store.write(arrivals))
    assert suspects() == [2]


def test_events_that_are_removed_mark_their_runs(key: ApiKey) -> None:
    store.write([arrival(key, MONTHS[1] - timedelta(days=1)), arrival(key, MONTHS[3] - timedelta(days=900))])
    remove(list(Event.objects.order_by("pk").values_list("pk", flat=True)[:1]), Endpoint.ERASE)
    assert suspects() == [4]
    SearchRun.objects.update(is_suspect=False)
    remove([UUID(int=7)], Endpoint.PRUNE)
    assert suspects() == []


def test_events_that_come_at_once_mark_nothing(key: ApiKey) -> None:
    runs.make(UUID(uuid7(NOW, 0)), UUID(uuid7(NOW + timedelta(days=1), 0)))
    arrivals = [arrival(key, datetime.now(UTC))]
    late.note(late.DELAY, arrivals, store.write(arrivals))
    assert suspects() == []
