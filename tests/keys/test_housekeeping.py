"""keys.housekeeping: the thread, for real."""

import os
import subprocess
import sys
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

# What writes says in which thread it does, instead of writing.
UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import django
django.setup()
from django.db.models import QuerySet
from keys import denials, directory, history, housekeeping

ident = monkey.get_original("threading", "get_ident")
threads = []
for place, name in [(denials, "write"), (history, "note_expired"), (QuerySet, "bulk_update")]:
    setattr(place, name, lambda *args, **kwargs: threads.append(ident()))
shared = directory.shared
shared.preload = shared.refresh = lambda: True
housekeeping.Housekeeper().turn()
print(len(threads), sum(thread == ident() for thread in threads))
"""


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


@pytest.mark.parametrize(("url", "on_the_hub"), [("sqlite:///:memory:", 0), ("postgresql://nobody@127.0.0.1/none", 3)])
def test_with_sqlite_nothing_is_written_in_the_thread_that_serves_requests(url: str, on_the_hub: int) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "thrad_events.settings"}
    run = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout.strip(), run.returncode) == (f"3 {on_the_hub}", 0), run.stderr
