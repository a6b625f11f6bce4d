"""keys.last_used: written once a minute, whatever happens to the database."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from time_machine import TimeMachineFixture

from keys.directory import Directory
from keys.models import ApiKey
from tests.harness import factories
from tests.harness.values import some
from tests.keys.conftest import failing
from tests.keys.directory.clock import revoke_elsewhere

pytestmark = pytest.mark.django_db


def last_used(key: ApiKey) -> datetime | None:
    return ApiKey.objects.get(pk=key.pk).last_used_at


@pytest.mark.django_db(transaction=True)
def test_uses_of_many_keys_are_one_statement(
    directory: Directory, django_assert_num_queries: DjangoAssertNumQueries, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False)
    keys = [factories.issue()[0] for _ in range(5)]
    directory.preload()
    for key in keys:
        directory.mark_used(some(directory.find(key.prefix)))
    with django_assert_num_queries(4):  # read, and one UPDATE in its transaction
        assert directory.housekeep() is True
    assert {last_used(key) for key in keys} == {datetime(2026, 1, 1, 12, tzinfo=UTC)}


def test_uses_are_written_once_a_minute_and_never_ahead_of_the_use(
    directory: Directory, time_machine: TimeMachineFixture
) -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    key, _ = factories.issue()
    written = []
    for seconds in range(0, 130, 10):
        time_machine.move_to(start + timedelta(seconds=seconds), tick=False)
        directory.mark_used(some(directory.find(key.prefix)))
        time_machine.move_to(start + timedelta(seconds=seconds + 2), tick=False)
        directory.housekeep()
        written.append(some(last_used(key)))
    assert sorted(set(written)) == [start + timedelta(seconds=s) for s in (0, 60, 120)]


def test_uses_written_by_another_process_are_not_written_again(directory: Directory) -> None:
    key, _ = factories.issue()
    directory.mark_used(some(directory.find(key.prefix)))
    other = timezone.now() - timedelta(seconds=30)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=other)
    directory.housekeep()
    assert last_used(key) == other


def test_uses_ask_nothing_when_there_are_none(
    directory: Directory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert directory.write_uses() is True


@pytest.mark.django_db(transaction=True)
def test_uses_survive_a_database_that_is_away(directory: Directory, time_machine: TimeMachineFixture) -> None:
    used_at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    time_machine.move_to(used_at, tick=False)
    key, _ = factories.issue()
    directory.mark_used(some(directory.find(key.prefix)))
    with failing():
        assert directory.housekeep() is False
    with failing(only="UPDATE"):
        assert directory.housekeep() is False
    time_machine.move_to(used_at + timedelta(minutes=30), tick=False)
    assert directory.housekeep() is True
    assert last_used(key) == used_at


@pytest.mark.django_db(transaction=True)
def test_uses_that_cannot_be_written_do_not_make_keys_unavailable(
    directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    key, _ = factories.issue()
    other, _ = factories.issue()
    directory.mark_used(some(directory.find(key.prefix)))
    with failing(only="UPDATE"):
        for _ in range(3):
            assert directory.housekeep() is False
        assert directory.find(other.prefix) == other
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == ["keys: last_used_at cannot be written"]


def test_uses_leave_everything_else_of_the_row_alone(directory: Directory) -> None:
    key, _ = factories.issue()
    directory.mark_used(some(directory.find(key.prefix)))
    directory.refresh()
    revoke_elsewhere(key)
    ApiKey.objects.filter(pk=key.pk).update(label="renamed")
    directory.write_uses()
    row = ApiKey.objects.get(pk=key.pk)
    assert row.revoked_at is not None
    assert (row.label, row.digest, row.prefix) == ("renamed", key.digest, key.prefix)
    assert row.last_used_at is not None


def test_uses_of_a_key_that_was_dropped_meanwhile_are_let_go(directory: Directory) -> None:
    key, _ = factories.issue()
    directory.mark_used(some(directory.find(key.prefix)))
    directory.forget(key.prefix)
    assert directory.write_uses() is True
    assert last_used(key) is None
