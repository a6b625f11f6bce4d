"""A range is prompt if few buckets are of it, however many there are of other times."""

from datetime import timedelta

import pytest

from reporting.figures import promptness
from reporting.rollups.running import Rollup
from tests.harness import factories
from tests.reporting.reports.stored import DAY, NOON, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_range_with_more_buckets_than_can_be_summed_up_is_not_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promptness, "MOST", {"sqlite": 2, "postgresql": 2})
    key, _ = factories.issue()
    for tag in "ab":
        write(key, tag_id=tag)
    for days in (1, 2):
        write(key, received_at=NOON - timedelta(days=days))
    list(Rollup().run(NOON + timedelta(days=3)))
    assert promptness.is_prompt(DAY)
    assert not promptness.is_prompt(type(DAY)(DAY.start - timedelta(days=1), DAY.end))
