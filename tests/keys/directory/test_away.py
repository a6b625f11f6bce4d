"""The directory while the database is away, and at the start of a process."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from keys import directory as module
from keys.directory import Directory
from keys.models import ApiKey
from runtime.outage import RETRY_SECONDS
from runtime.refusals import Unavailable
from tests.harness import factories
from tests.harness.values import some
from tests.keys.conftest import failing
from tests.keys.directory.clock import Clock, revoke_elsewhere

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
def test_away_known_keys_keep_working_and_unknown_ones_are_unavailable(
    directory: Directory, clock: Clock, error: type[Exception]
) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    clock.now += module.TRUST_SECONDS
    with failing(error):
        assert directory.find(key.prefix) == key
        with pytest.raises(Unavailable):
            directory.find("thrad_live_another")


def test_away_once_known_is_not_asked_again_by_requests(directory: Directory, clock: Clock) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    clock.now += module.TRUST_SECONDS
    with failing() as sent:
        directory.refresh()
        asked = len(sent)
        for _ in range(5):
            assert directory.find(key.prefix) == key
            with pytest.raises(Unavailable):
                directory.find("thrad_live_another")
        assert len(sent) == asked


def test_away_ends_for_known_keys_after_the_stated_time(directory: Directory, clock: Clock, settings: Settings) -> None:
    settings.AUTH_STALE_SECONDS = 600
    key, _ = factories.issue()
    directory.find(key.prefix)
    with failing():
        clock.now += 599
        assert directory.find(key.prefix) == key
        clock.now += 1
        with pytest.raises(Unavailable):
            directory.find(key.prefix)
    clock.now += RETRY_SECONDS
    assert directory.find(key.prefix) == key


def test_away_ends_with_the_next_refresh_also_when_no_key_is_known(directory: Directory, clock: Clock) -> None:
    key, _ = factories.issue()
    with failing():
        assert directory.refresh() is False
    with pytest.raises(Unavailable):
        directory.find(key.prefix)
    assert directory.refresh() is True
    assert directory.find(key.prefix) == key


def test_away_ends_by_a_request_where_no_thread_looks(directory: Directory, clock: Clock) -> None:
    key, _ = factories.issue()
    with failing(), pytest.raises(Unavailable):
        directory.find(key.prefix)
    with pytest.raises(Unavailable):
        directory.find(key.prefix)
    clock.now += RETRY_SECONDS
    assert directory.find(key.prefix) == key


def test_away_and_back_are_logged_once_each(
    directory: Directory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with failing():
        for _ in range(3):
            directory.refresh()
    for _ in range(3):
        directory.refresh()
    told = [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "runtime.circuit"]
    assert told == [
        (logging.ERROR, "the database does not answer"),
        (logging.WARNING, "the database is back"),
    ]


def test_revocation_made_while_away_is_seen_when_it_is_back(directory: Directory, clock: Clock) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    clock.now += module.TRUST_SECONDS
    with failing():
        directory.refresh()
    revoke_elsewhere(key)
    assert some(directory.find(key.prefix)).is_active()
    directory.refresh()
    assert not some(directory.find(key.prefix)).is_active()


@pytest.mark.django_db
def test_preload_meets_active_keys_once_those_used_last_first(
    make: Callable[..., Directory], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    directory = make(preloaded=3)
    now = timezone.now()
    issued = [factories.issue()[0] for _ in range(6)]
    ApiKey.objects.filter(pk=issued[0].pk).update(last_used_at=now - timedelta(hours=1))
    ApiKey.objects.filter(pk=issued[1].pk).update(last_used_at=now)
    ApiKey.objects.filter(pk=issued[5].pk).update(revoked_at=now)
    with django_assert_num_queries(1):
        assert directory.preload()
        assert directory.preload()
    assert list(directory._known) == [issued[1].prefix, issued[0].prefix, issued[4].prefix]
    with django_assert_num_queries(0):
        assert some(directory.find(issued[0].prefix)).pk == issued[0].pk


def test_preload_is_tried_again_while_the_database_is_away(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(limit: int) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(module, "load_likely", away)
        assert directory.housekeep() is False
    key = factories.issue()[0]
    assert directory.housekeep() is True
    assert list(directory._known) == [key.prefix]
