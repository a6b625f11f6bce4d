"""When keys are written for a start without the database: those used last, whenever one has changed."""

import logging
from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from keys.directory import Directory
from keys.models import ApiKey
from tests.harness import factories
from tests.keys.conftest import failing
from tests.keys.directory.store import Store

pytestmark = pytest.mark.django_db


@pytest.fixture
def directory(make: Callable[..., Directory], store: Store) -> Directory:
    """A directory that keeps its keys in the store."""
    directory = make()
    directory.keep_in(store)
    return directory


def test_those_used_last_are_kept_and_no_more_than_the_bound(make: Callable[..., Directory], store: Store) -> None:
    directory = make(preloaded=2)
    directory.keep_in(store)
    keys = [factories.issue()[0] for _ in range(4)]
    ApiKey.objects.filter(pk=keys[0].pk).update(last_used_at=timezone.now())
    directory.housekeep()
    assert store.prefixes == [keys[0].prefix, keys[3].prefix]


def test_nothing_is_read_or_written_while_no_key_changes_but_once_a_minute(
    directory: Directory,
    store: Store,
    wait: Callable[[float], None],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, _ = factories.issue()
    directory.housekeep()
    directory.housekeep()
    before = store.saves
    with django_assert_num_queries(1):  # the refresh
        directory.housekeep()
    for prefix in ("thrad_live_nobody", "thrad_live_nobody2"):
        assert directory.find(prefix) is None
    wait(59)
    directory.housekeep()
    assert store.saves == before
    wait(60)
    directory.housekeep()
    assert store.saves == before + 1
    ApiKey.objects.filter(pk=key.pk).update(tags=["t"])
    directory.housekeep()
    assert store.saves == before + 2
    factories.issue()
    assert directory.find(ApiKey.objects.latest("pk").prefix)
    directory.housekeep()
    assert store.saves == before + 3


@pytest.mark.parametrize("error", [OperationalError("database or disk is full"), OSError("read-only")])
def test_store_that_fails_costs_nothing_and_is_told_once(
    make: Callable[..., Directory], store: Store, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    key, _ = factories.issue()
    store.error = error
    directory = make()
    directory.keep_in(store)
    for _ in range(3):
        directory.forget(key.prefix)
        assert directory.housekeep() is True
    assert directory.find(key.prefix) == key
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == [
        "keys: those that were kept cannot be read",
        "keys: those last used cannot be kept for an outage",
    ]
    store.error = None
    directory.forget(key.prefix)
    directory.housekeep()
    assert store.prefixes == [key.prefix]


def test_change_while_the_database_goes_away_is_written_when_it_is_back(directory: Directory, store: Store) -> None:
    factories.issue()
    directory.housekeep()
    other, _ = factories.issue()
    directory.forget(other.prefix)
    with failing(only="LIMIT"):
        assert directory.housekeep() is False
    assert other.prefix not in store.prefixes
    assert directory.housekeep() is True
    assert other.prefix in store.prefixes
