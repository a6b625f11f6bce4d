"""A range is prompt if few buckets are of it and few events are in none yet, however many there are of other times."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keys.models import ApiKey
from reporting.figures import promptness
from reporting.figures.asked import Asked
from reporting.figures.filters import parsed
from reporting.ranges import Range
from reporting.rollups.running import Rollup
from tests.harness import factories
from tests.reporting.reports.stored import DAY, NOON, write

OF_CLIENTS = Asked(DAY, metrics=("events", "clients"))
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    """A key; two buckets, summaries or events are summed up at once, and no more."""
    for name in ("MOST_BUCKETS", "MOST_SUMMARIES", "MOST_EVENTS"):
        monkeypatch.setattr(promptness, name, {"sqlite": 2, "postgresql": 2})
    return factories.issue()[0]


def test_range_with_more_buckets_than_can_be_summed_up_is_not_prompt(key: ApiKey) -> None:
    for tag in "ab":
        write(key, tag_id=tag)
    for days in (1, 2):
        write(key, received_at=NOON - timedelta(days=days))
    list(Rollup().run(NOON + timedelta(days=3)))
    assert promptness.is_prompt(OF_CLIENTS)
    two_days = Range(DAY.start - timedelta(days=1), DAY.end)
    assert not promptness.is_prompt(replace(OF_CLIENTS, over=two_days))


def test_question_that_summaries_answer_depends_on_how_many_of_these_there_are(key: ApiKey) -> None:
    for tag in "abc":
        write(key, tag_id=tag)
    list(Rollup().run(NOON + timedelta(days=3)))
    assert not promptness.is_prompt(OF_CLIENTS)
    assert promptness.is_prompt(Asked(DAY))
    assert promptness.is_prompt(Asked(DAY, by=("event_name",)))
    conditions: list[dict[str, Any]] = [
        {"by": ("tag",)}, {"filters": parsed(["tag is a"])}, {"by": ("browser", "tag")},
    ]  # fmt: skip
    for condition in conditions:
        assert not promptness.is_prompt(replace(Asked(DAY), **condition))


def test_events_that_are_in_no_bucket_yet_count_too(key: ApiKey) -> None:
    for _ in range(2):
        write(key)
    assert promptness.is_prompt(Asked(DAY))
    write(key)
    assert not promptness.is_prompt(Asked(DAY))
    list(Rollup().run(NOON + timedelta(days=3)))
    assert promptness.is_prompt(Asked(DAY))
    for _ in range(3):
        write(key, received_at=NOON + timedelta(days=4))
    assert not promptness.is_prompt(Asked(DAY))
