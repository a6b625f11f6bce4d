"""Test events: marked, counted apart, and pruned when they are old; live ones stay whatever their age."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from collect.backfills import pruning
from collect.models import Event
from collect.storage import ingest
from keys.models import ApiKey
from tests.harness import factories
from tests.harness.databases import is_sqlite
from tests.harness.prometheus import counted

pytestmark = pytest.mark.django_db


def store(api_key: ApiKey, age: timedelta, count: int = 1) -> None:
    source = factories.source(api_key, received_at=datetime.now(UTC) - age)
    ingest.submit([factories.arrival(source) for _ in range(count)])


@pytest.fixture
def stored(settings: Settings) -> None:
    """Old and young events of a test key and of a live one."""
    settings.TEST_EVENTS_DAYS = 7
    test, live = factories.key(is_test=True)[0], factories.key()[0]
    for api_key in (test, live):
        store(api_key, timedelta(days=7, minutes=1), 5)
        store(api_key, timedelta(days=7, minutes=-1), 2)


@pytest.mark.parametrize("step", [2, 1_000])
def test_old_test_events_go_and_nothing_else(stored: None, step: int) -> None:
    assert pruning.prune_test_events(step, pause=0) == 5
    assert sorted(Event.objects.values_list("is_test", flat=True)) == [False] * 7 + [True] * 2
    assert pruning.prune_test_events(pause=0) == 0


def test_no_days_keep_them_all(stored: None, settings: Settings) -> None:
    settings.TEST_EVENTS_DAYS = 0
    assert pruning.prune_test_events(pause=0) == 0
    assert Event.objects.count() == 14


def test_what_is_to_be_pruned_is_found_by_its_index(
    stored: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Without it a table of millions would be read to the end every hour."""
    index = next(index for index in Event._meta.indexes if index.name == "event_test_arrival")
    assert (index.fields, index.condition.children) == (["received_at"], [("is_test", True)])
    # A step finds; in one transaction it keeps the counts, reads, deletes by partner, sums the counts up, and marks the
    # search index.
    with django_assert_num_queries(13 if is_sqlite() else 14):
        pruning.prune_test_events(pause=0)


def test_test_events_are_counted_apart(client: Client) -> None:
    for is_test, metric, other in (
        (True, "thrad_test_events_total", "thrad_events_total"),
        (False, "thrad_events_total", "thrad_test_events_total"),
    ):
        api_key, raw_key = factories.key(is_test=is_test)
        for body, outcome in ((b'{"event_name":"x"}', "stored"), (b"{}", "rejected")):
            client.post("/api/collect", body, "application/json", headers={"Authorization": f"Bearer {raw_key}"})
            labels = {"partner": api_key.partner.name, "outcome": outcome, "channel": "server"}
            assert (counted(metric, **labels), counted(other, **labels)) == (1, 0)
