"""keys.housekeeping: the thread, for real."""

from collections.abc import Iterator
from itertools import count

import pytest
from django.utils import timezone

from keys import denials, directory, history, housekeeping
from keys.models import ApiKey
from runtime.periodic import Periodic
from tests.harness import factories
from tests.harness.values import some
from tests.harness.waiting import eventually


@pytest.fixture
def thread() -> Iterator[Periodic]:
    thread = Periodic("keys-housekeeping", housekeeping.Housekeeper().turn, 0.02)
    yield thread
    thread.stop()


@pytest.mark.django_db(transaction=True)
def test_thread_sees_what_another_process_did_and_writes_uses(thread: Periodic) -> None:
    key, _ = factories.issue()
    directory.mark_used(some(directory.find(key.prefix)))
    thread.start()
    assert eventually(lambda: some(directory.find(key.prefix)).last_used_at is not None)
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    assert eventually(lambda: not some(directory.find(key.prefix)).is_active())


@pytest.mark.parametrize("answers", [True, False])
def test_history_is_written_every_so_often_and_only_while_the_database_answers(
    monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    written, numbers = [], count(1)
    monkeypatch.setattr(directory, "housekeep", lambda: next(numbers) > 0 and answers)
    monkeypatch.setattr(denials, "write", lambda: written.append(next(numbers)))
    monkeypatch.setattr(history, "note_expired", lambda: None)
    housekeeper = housekeeping.Housekeeper()
    for _ in range(2 * housekeeping.TURNS_OF_HISTORY):
        housekeeper.turn()
    assert len(written) == (2 if answers else 0)
