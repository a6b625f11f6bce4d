"""A range is prompt if few buckets are of it and few events are in none yet, however many there are of other times."""

from datetime import timedelta

import pytest

from keys.models import ApiKey
from reporting.figures import promptness
from reporting.ranges import Range
from reporting.rollups.running import Rollup
from tests.harness import factories
from tests.reporting.reports.stored import DAY, NOON, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    """A key; two buckets, or two events, are summed up at once, and no more."""
    for name in ("MOST_BUCKETS", "MOST_EVENTS"):
        monkeypatch.setattr(promptness, name, {"sqlite": 2, "postgresql": 2})
    return factories.issue()[0]


def test_range_with_more_buckets_than_can_be_summed_up_is_not_prompt(key: ApiKey) -> None:
    for tag in "ab":
        write(key, tag_id=tag)
    for days in (1, 2):
        write(key, received_at=NOON - timedelta(days=days))
    list(Rollup().run(NOON + timedelta(days=3)))
    assert promptness.is_prompt(DAY)
    assert not promptness.is_prompt(Range(DAY.start - timedelta(days=1), DAY.end))


def test_events_that_are_in_no_bucket_yet_count_too(key: ApiKey) -> None:
    for _ in range(2):
        write(key)
    assert promptness.is_prompt(DAY)
    write(key)
    assert not promptness.is_prompt(DAY)
    list(Rollup().run(NOON + timedelta(days=3)))
    assert promptness.is_prompt(DAY)
    for _ in range(3):
        write(key, received_at=NOON + timedelta(days=4))
    assert not promptness.is_prompt(DAY)
