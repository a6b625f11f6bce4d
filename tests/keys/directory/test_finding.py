"""keys.directory: what is remembered, for how long, and what requests at the same time see."""

import threading
from collections.abc import Callable, Collection

import pytest
from pytest_django import DjangoAssertNumQueries

from keys import directory as module
from keys.directory import Directory
from keys.loading import load
from keys.models import ApiKey, Partner
from runtime.outage import RETRY_SECONDS
from runtime.refusals import Unavailable
from tests.harness import factories
from tests.harness.values import some
from tests.keys.conftest import failing
from tests.keys.directory.clock import Clock, erase, revoke_elsewhere

pytestmark = pytest.mark.django_db


def during_load(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Run `act` once, between the database's answer and what is done with it."""

    def wrapped(prefixes: Collection[str]) -> dict[str, ApiKey]:
        rows = load(prefixes)
        monkeypatch.setattr(module, "load", load)
        act()
        return rows

    monkeypatch.setattr(module, "load", wrapped)


# --- what is remembered ---
def test_find_reads_a_key_once_with_its_partner(
    directory: Directory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, _ = factories.issue()
    with django_assert_num_queries(1):
        found = [directory.find(key.prefix) for _ in range(3)]
        assert found == [key] * 3
        assert some(found[0]).partner.name == "Acme"


def test_find_remembers_for_seconds_that_there_is_no_such_key(
    directory: Directory, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert directory.find("thrad_live_nobody") is None
        assert directory.find("thrad_live_nobody") is None
    clock.now += module.UNKNOWN_SECONDS
    with django_assert_num_queries(1):
        assert directory.find("thrad_live_nobody") is None


def test_find_meets_a_key_issued_after_it_was_unknown(directory: Directory, clock: Clock) -> None:
    key, _ = factories.issue()
    ApiKey.objects.filter(pk=key.pk).update(prefix="thrad_live_later")
    assert directory.find(key.prefix) is None
    ApiKey.objects.filter(pk=key.pk).update(prefix=key.prefix)
    clock.now += module.UNKNOWN_SECONDS
    assert directory.find(key.prefix) == key


def test_find_without_the_thread_sees_a_revocation_within_the_promised_time(directory: Directory, clock: Clock) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    revoke_elsewhere(key)
    assert module.TRUST_SECONDS < 5
    clock.now += module.TRUST_SECONDS
    assert not some(directory.find(key.prefix)).is_active()


def test_find_after_a_refresh_asks_nothing(
    directory: Directory, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    for _ in range(5):
        clock.now += 2
        directory.refresh()
    with django_assert_num_queries(0):
        assert directory.find(key.prefix) == key


def test_find_asks_again_when_the_row_is_gone(directory: Directory, clock: Clock) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    erase(key)
    clock.now += module.TRUST_SECONDS
    assert directory.find(key.prefix) is None


def test_forget_makes_the_next_request_ask(
    directory: Directory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    directory.forget(key.prefix)
    with django_assert_num_queries(1):
        directory.find(key.prefix)


# --- refresh ---


# --- races ---
def test_revocation_while_a_request_reads_is_not_overwritten_by_what_it_read(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    clock.now += module.TRUST_SECONDS

    def revoked_and_refreshed() -> None:
        revoke_elsewhere(key)
        clock.now += 0.1
        directory.refresh()

    during_load(monkeypatch, revoked_and_refreshed)
    assert not some(directory.find(key.prefix)).is_active()
    assert not some(directory.find(key.prefix)).is_active()


def test_revocation_while_a_refresh_reads_is_seen_by_the_next_one(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)
    clock.now += 2

    def revoked_late_in_a_slow_refresh() -> None:
        revoke_elsewhere(key)
        clock.now += 3

    during_load(monkeypatch, revoked_late_in_a_slow_refresh)
    directory.refresh()
    # The rows are as old as the question, not as the answer: what was read before the wait ages from there.
    clock.now += 1
    assert not some(directory.find(key.prefix)).is_active()


def test_key_forgotten_while_a_refresh_reads_stays_forgotten(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, _ = factories.issue()
    directory.find(key.prefix)

    def revoked_here() -> None:
        revoke_elsewhere(key)
        directory.forget(key.prefix)

    during_load(monkeypatch, revoked_here)
    directory.refresh()
    with django_assert_num_queries(1):
        assert not some(directory.find(key.prefix)).is_active()


def test_request_that_waited_for_its_turn_uses_what_was_read_meanwhile(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, _ = factories.issue()
    acquire = directory._turns.acquire

    def acquire_late(timeout: float) -> bool:
        directory._remember(key.prefix, key, directory._clock())
        return acquire(timeout=timeout)

    monkeypatch.setattr(directory._turns, "acquire", acquire_late)
    with django_assert_num_queries(0):
        assert directory.find(key.prefix) == key


def test_requests_that_ask_at_the_same_time_are_few(make: Callable[..., Directory], clock: Clock) -> None:
    directory = make(turn_seconds=0.01)
    key, _ = factories.issue()
    directory.find(key.prefix)
    for _ in range(module.ASKING):
        assert directory._turns.acquire(timeout=0)
    with pytest.raises(Unavailable):
        directory.find("thrad_live_another")
    clock.now += module.TRUST_SECONDS
    assert directory.find(key.prefix) == key
    directory._turns.release()
    assert directory.find("thrad_live_another") is None


def test_turn_is_given_back_whatever_happens(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(module.ASKING * 2):
        with failing(), pytest.raises(Unavailable):
            directory.find("thrad_live_another")
        clock.now += RETRY_SECONDS
    assert directory.find("thrad_live_another") is None


def test_threads_share_one_directory(make: Callable[..., Directory], monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make(capacity=20)
    keys = [ApiKey(pk=number, prefix=f"p{number}", partner=Partner(pk=1, name="acme")) for number in range(60)]
    rows = {key.prefix: key for key in keys}
    monkeypatch.setattr(module, "load", lambda prefixes: {p: rows[p] for p in prefixes if p in rows})
    monkeypatch.setattr(ApiKey.objects, "bulk_update", lambda *args, **kwargs: 0)
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for number in range(3000):
                key = keys[(start + number) % len(keys)]
                assert directory.find(key.prefix) is key
                directory.mark_used(key)
                if number % 50 == start:
                    directory.housekeep()
                    directory.forget(key.prefix)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(directory._known) <= 20


# --- bounds ---
def test_memory_is_bounded_for_known_and_for_unknown_prefixes(make: Callable[..., Directory]) -> None:
    directory = make(capacity=3)
    keys = [factories.issue()[0] for _ in range(5)]
    for number, key in enumerate(keys):
        directory.find(key.prefix)
        directory.find(f"thrad_live_{number}")
    assert list(directory._known) == [key.prefix for key in keys[2:]]
    assert list(directory._unknown) == ["thrad_live_2", "thrad_live_3", "thrad_live_4"]


def test_unknown_prefixes_do_not_push_out_known_keys(
    make: Callable[..., Directory], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    directory = make(capacity=3)
    key, _ = factories.issue()
    directory.find(key.prefix)
    for number in range(10):
        directory.find(f"thrad_live_{number}")
    with django_assert_num_queries(0):
        assert directory.find(key.prefix) == key
