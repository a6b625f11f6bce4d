"""Writers of PostgreSQL that overlap with steps in ways that time alone would not excuse."""

from datetime import UTC, datetime, timedelta

import pytest

from collect.backfills import walk
from collect.backfills.reenriching import ReenrichOptions, reenrich_events
from collect.backfills.run import Run
from collect.storage import store
from reporting.models import Progress
from reporting.rollups.running import Rollup
from tests.reporting.rollups import oracle
from tests.reporting.rollups.interleaving import overlapped
from tests.reporting.views.events import NOON, arrival, stored

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
HOUR = timedelta(hours=1)


def run(now: datetime) -> None:
    for _ in Rollup().run(now):
        pass


def assert_exact() -> None:
    assert oracle.in_cells(pruned=False) == oracle.grouped(oracle.events().values()) != {}


def test_event_whose_commit_takes_longer_than_all_margins_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it waits for a stand-by server that is away."""
    # To the rollup the transaction that has just begun is old.
    received_at = datetime.now(UTC)
    late = arrival(received_at=received_at)
    stored(received_at=NOON)

    def meanwhile() -> None:
        monkeypatch.setattr("reporting.rollups.running.SETTLED", -HOUR)
        monkeypatch.setattr("reporting.rollups.running.PAST_AFTER", timedelta(seconds=1))
        run(received_at)
        monkeypatch.undo()
        assert NOON < Progress.objects.get().until < received_at

    # In autocommit there is no commit to stand at: the statement stands in a transaction.
    from django.db import transaction  # noqa: PLC0415

    def write() -> None:
        with transaction.atomic():
            store._insert_new([late])

    overlapped(write, 1, meanwhile)
    run(received_at + HOUR)
    assert_exact()


@pytest.mark.parametrize("at", range(14))
def test_late_event_that_comes_in_while_its_neighbours_are_enriched(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is enriched with them, and may be counted before that is committed."""
    monkeypatch.setattr(walk, "RANGE", 100)
    first = arrival(received_at=NOON, user_agent="curl/8.4.0")
    between = arrival(received_at=NOON + HOUR, user_agent="curl/8.4.0")
    last = arrival(received_at=NOON + 2 * HOUR)
    store.write([first, last])
    run(NOON + 3 * HOUR)

    def meanwhile() -> None:
        store.write([between])
        run(NOON + 3 * HOUR)

    overlapped(lambda: reenrich_events(ReenrichOptions(geo=False), Run("reenrich", lambda _line: None)), at, meanwhile)
    run(NOON + 3 * HOUR)
    assert_exact()
