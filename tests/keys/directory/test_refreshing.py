"""keys.directory: all known keys are read again, step by step."""

import time
from collections.abc import Collection

import pytest
from django.db import OperationalError
from pytest_django import DjangoAssertNumQueries

from keys import directory as module
from keys.directory import Directory
from keys.loading import load
from keys.models import ApiKey
from runtime import hub
from tests.harness import factories
from tests.harness.values import some
from tests.keys.directory.clock import Clock, erase, revoke_elsewhere

pytestmark = pytest.mark.django_db


def test_refresh_reads_all_known_keys_in_one_statement(
    directory: Directory, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    keys = [factories.issue()[0] for _ in range(20)]
    for key in keys:
        directory.find(key.prefix)
    revoke_elsewhere(keys[3])
    erase(keys[5])
    with django_assert_num_queries(1):
        assert directory.refresh() is True
    with django_assert_num_queries(0):
        assert not some(directory.find(keys[3].prefix)).is_active()
        assert directory.find(keys[5].prefix) is None
        assert some(directory.find(keys[6].prefix)).is_active()


def test_refresh_reads_thousands_of_keys_in_few_statements(
    directory: Directory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    partner = factories.partner()
    prefixes = [f"thrad_live_{number:012}" for number in range(module.CAPACITY)]
    rows = [ApiKey(partner=partner, prefix=prefix, digest="0" * 64, label="x") for prefix in prefixes]
    ApiKey.objects.bulk_create(rows, batch_size=500)
    for key in ApiKey.objects.all():
        directory._remember(key.prefix, key, 0.0)
    with django_assert_num_queries(module.CAPACITY // module.REFRESHED):
        assert directory.refresh() is True
    with django_assert_num_queries(0):
        assert all(directory.find(prefix) for prefix in prefixes)


def test_many_keys_are_read_again_step_by_step_and_requests_have_their_turn_between(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(module, "REFRESHED", 2)
    # Each step takes so long that others are to have their turn.
    monkeypatch.setattr(hub, "TURN_SECONDS", -1.0)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    keys = [factories.issue()[0] for _ in range(5)]
    for key in keys:
        directory.find(key.prefix)
    for key in keys:
        revoke_elsewhere(key)
    with django_assert_num_queries(3):
        assert directory.refresh()
    assert len(pauses) == 3
    assert [some(directory.find(key.prefix)).state for key in keys] == ["revoked"] * 5


def test_refresh_that_fails_half_way_keeps_what_it_has_read(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFRESHED", 1)
    keys = [factories.issue()[0] for _ in range(2)]
    for key in keys:
        directory.find(key.prefix)
        revoke_elsewhere(key)

    def once(prefixes: Collection[str]) -> dict[str, ApiKey]:
        monkeypatch.setattr(module, "load", lambda prefixes: (_ for _ in ()).throw(OperationalError("away")))
        return load(prefixes)

    monkeypatch.setattr(module, "load", once)
    assert not directory.refresh()
    assert [some(directory.remembered(key.prefix)).state for key in keys] == ["revoked", "active"]
