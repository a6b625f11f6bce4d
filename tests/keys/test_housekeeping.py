"""keys.housekeeping: the thread, for real."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError
from django.utils import timezone

from keys import directory, housekeeping
from keys.models import ApiKey
from tests.keys import factories


def eventually(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.01)
    return False


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "keys-housekeeping"]


@pytest.fixture
def housekeeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[housekeeping.Housekeeper]:
    monkeypatch.setattr(housekeeping, "PERIOD_SECONDS", 0.02)
    keeper = housekeeping.Housekeeper()
    yield keeper
    keeper.stop()


@pytest.mark.django_db(transaction=True)
def test_thread_sees_what_another_process_did_and_writes_uses(housekeeper):
    key, _ = factories.issue()
    directory.mark_used(directory.find(key.prefix))
    housekeeper.start()
    assert eventually(lambda: directory.find(key.prefix).last_used_at is not None)
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    assert eventually(lambda: not directory.find(key.prefix).is_active())
    housekeeper.stop()
    assert running() == []


@pytest.mark.django_db(transaction=True)
def test_thread_is_one_however_often_it_is_started(housekeeper):
    for _ in range(5):
        housekeeper.start()
    assert len(running()) == 1
    housekeeper.stop()
    housekeeper.stop()
    assert running() == []
    housekeeper.start()
    assert len(running()) == 1


def test_stop_without_start_is_nothing():
    housekeeping.Housekeeper().stop()


@pytest.mark.parametrize("error", [OperationalError("away"), RuntimeError("a fault of ours")])
def test_thread_survives_any_failure_of_a_round(housekeeper, monkeypatch, caplog, error):
    rounds: list[int] = []

    def fail() -> bool:
        rounds.append(1)
        raise error

    monkeypatch.setattr(directory, "housekeep", fail)
    housekeeper.start()
    assert eventually(lambda: len(rounds) >= 3)
    assert len(running()) == 1
    assert "a round of housekeeping failed" in caplog.text


def test_thread_waits_between_rounds(housekeeper, monkeypatch):
    monkeypatch.setattr(housekeeping, "PERIOD_SECONDS", 0.2)
    rounds: list[int] = []
    monkeypatch.setattr(directory, "housekeep", lambda: rounds.append(1))
    housekeeper.start()
    time.sleep(0.5)
    housekeeper.stop()
    assert 1 <= len(rounds) <= 3
