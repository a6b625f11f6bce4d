"""What is kept of keys for a start without the database: enough to accept them, no secret, and never for too long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from keys import kept, lifecycle
from keys.directory import UNKNOWN_SECONDS, Directory
from keys.models import ApiKey
from runtime.refusals import Unavailable
from tests.harness import factories
from tests.harness.values import some
from tests.keys.conftest import failing
from tests.keys.directory.clock import Clock, revoke_elsewhere
from tests.keys.directory.store import Store

pytestmark = pytest.mark.django_db

Make = Callable[..., Directory]


@pytest.fixture
def directory(make: Make, store: Store) -> Directory:
    """A directory that keeps its keys in the store."""
    directory = make()
    directory.keep_in(store)
    return directory


def started_while_away(make: Make, store: Store, **options: Any) -> Directory:
    """The directory of a worker that has just started and has asked the database in vain."""
    directory = make(**options)
    directory.keep_in(store)
    with failing():
        assert directory.housekeep() is False
    return directory


DECIDING: dict[str, Any] = {
    "is_test": True,
    "tags": ["adv_acme_*"],
    "networks": ["203.0.113.0/24"],
    "per_second": 10,
    "per_day": 1000,
    "expires_at": datetime(2126, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("fields", [{}, DECIDING])
def test_start_while_away_knows_all_that_decides_on_a_key(
    directory: Directory, make: Make, store: Store, fields: dict[str, Any]
) -> None:
    key, raw_key = factories.issue(**fields)
    directory.housekeep()
    with failing():
        found = some(started_while_away(make, store).find(key.prefix))
    key.refresh_from_db()
    assert kept.deciding(found) == kept.deciding(key)
    assert (found.pk, found.partner.name, found.is_active()) == (key.pk, "Acme", True)
    assert raw_key.encode() not in some(store.document)
    assert raw_key.rpartition("_")[2].encode() not in some(store.document)


def test_start_while_away_without_what_was_kept_knows_none(make: Make, store: Store) -> None:
    key, _ = factories.issue()
    directory = started_while_away(make, store)
    assert not directory.knows_any()
    with failing(), pytest.raises(Unavailable):
        directory.find(key.prefix)


def test_database_is_asked_first_where_it_is_there(make: Make, directory: Directory, store: Store) -> None:
    """What is kept may be old: a key that was revoked while no worker ran is accepted by none that can ask."""
    key, _ = factories.issue()
    directory.housekeep()
    revoke_elsewhere(key)
    started = make()
    started.keep_in(store)
    assert not some(started.find(key.prefix)).is_active()
    with failing():
        started.refresh()
        assert not some(started.find(key.prefix)).is_active()


def test_key_that_is_gone_from_the_database_is_not_brought_back(
    directory: Directory, make: Make, clock: Clock, store: Store
) -> None:
    key, _ = factories.issue()
    directory.housekeep()
    started = make()
    started.keep_in(store)
    ApiKey.objects.filter(pk=key.pk).update(prefix="thrad_live_renamed")
    assert started.find(key.prefix) is None
    clock.now += UNKNOWN_SECONDS
    with failing(), pytest.raises(Unavailable):
        started.find(key.prefix)


END: dict[str, Callable[[ApiKey], object]] = {
    "here": lambda key: lifecycle.revoke(key, factories.ACTOR),
    "elsewhere": revoke_elsewhere,
    "by a past expiry": lambda key: ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now()),
}


@pytest.mark.parametrize("end", END.values(), ids=END.keys())
def test_key_that_ended_before_the_outage_is_not_kept(
    directory: Directory, make: Make, store: Store, monkeypatch: pytest.MonkeyPatch, end: Callable[[ApiKey], object]
) -> None:
    monkeypatch.setattr("keys.directory.forget", directory.forget)
    key, other = factories.issue()[0], factories.issue()[0]
    directory.housekeep()
    assert sorted(store.prefixes) == sorted([key.prefix, other.prefix])
    end(key)
    directory.housekeep()
    assert store.prefixes == [other.prefix]
    started = started_while_away(make, store)
    assert some(started.find(other.prefix)).is_active()
    with failing(), pytest.raises(Unavailable):
        started.find(key.prefix)


def test_expiry_holds_by_the_clock(
    directory: Directory, make: Make, store: Store, wait: Callable[[float], None]
) -> None:
    key, _ = factories.issue(expires_at=timezone.now() + timedelta(minutes=5))
    directory.housekeep()
    started = started_while_away(make, store)
    assert started.knows_any()
    wait(300)
    assert not some(started.find(key.prefix)).is_active()
    assert not started.knows_any()


@pytest.mark.parametrize(("seconds", "known"), [(0, 1), (3599, 1), (3600, 0), (-30, 1), (-3600, 0), (10**8, 0)])
def test_what_is_kept_is_trusted_as_long_as_what_is_in_memory(
    directory: Directory, make: Make, store: Store, wait: Callable[[float], None], seconds: int, known: int
) -> None:
    """The clock of the machine may have been set back, too."""
    factories.issue()
    directory.housekeep()
    wait(seconds)
    assert len(started_while_away(make, store)._kept) == known


def test_time_before_a_restart_counts(
    directory: Directory, make: Make, clock: Clock, store: Store, wait: Callable[[float], None]
) -> None:
    key, _ = factories.issue()
    directory.housekeep()
    wait(3400)
    started = started_while_away(make, store)
    with failing():
        clock.now += 199
        assert started.find(key.prefix) == key
        assert started.knows_any()
        clock.now += 1
        assert not started.knows_any()
        with pytest.raises(Unavailable):
            started.find(key.prefix)


def test_memory_too_knows_no_key_once_what_it_read_is_too_old(
    directory: Directory, clock: Clock, settings: Settings
) -> None:
    """Ready is what would be accepted, so a long outage ends that too."""
    settings.AUTH_STALE_SECONDS = 600
    factories.issue()
    directory.housekeep()
    clock.now += 599
    assert directory.knows_any()
    clock.now += 1
    assert not directory.knows_any()


def test_keys_of_another_database_are_nobodys(
    directory: Directory, make: Make, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.issue()
    directory.housekeep()
    monkeypatch.setattr(kept, "_database", lambda: "elsewhere:5432/events")
    assert not started_while_away(make, store).knows_any()


@pytest.mark.parametrize("document", [b"", b"nonsense", b'{"database": "x"}', b"\xff"])
def test_document_that_cannot_be_read_is_none(make: Make, store: Store, document: bytes) -> None:
    store.document = document
    assert not started_while_away(make, store).knows_any()


def test_uses_during_the_outage_are_written_afterwards(directory: Directory, make: Make, store: Store) -> None:
    key, _ = factories.issue()
    directory.housekeep()
    started = started_while_away(make, store)
    with failing():
        started.mark_used(some(started.find(key.prefix)))
    assert started.housekeep() is True
    key.refresh_from_db()
    assert key.last_used_at is not None
