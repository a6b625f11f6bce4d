"""A new file of the spool, which processes may make at the same moment."""

from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from django.db import OperationalError, connections
from pytest_django import Settings

from collect.storage import spool
from collect.storage.spool_file import PAGE_BYTES
from tests.harness import factories

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    pytest.mark.usefixtures("own_spool"),
]


def open_spool(path: str, starts: Barrier, told: "SimpleQueue[str]") -> None:
    """Open the spool in a process of its own, at the moment at which others do."""
    connections.settings["spool"]["NAME"] = path
    del connections["spool"]
    starts.wait(30)
    try:
        spool.head()
    except OperationalError as error:
        told.put(str(error))
    else:
        told.put("opened")


def test_processes_may_open_a_new_spool_at_the_same_moment(tmp_path: Path) -> None:
    """As the workers do when the database goes away before anything was spooled; one in eight pairs used to fail."""
    fork = get_context("fork")
    for number in range(30):
        starts, told = fork.Barrier(3), fork.SimpleQueue()
        given = (str(tmp_path / f"{number}.sqlite3"), starts, told)
        processes = [fork.Process(target=open_spool, args=given) for _ in range(3)]
        for process in processes:
            process.start()
        assert [told.get() for _ in processes] == ["opened"] * 3
        for process in processes:
            process.join(30)


def test_full_file_of_an_older_version_can_be_read_and_drained(settings: Settings) -> None:
    """It lacks a table, for which it would have no room."""
    assert spool.head() is None
    with connections["spool"].cursor() as cursor:
        cursor.execute("DROP TABLE counts")
        cursor.execute("SELECT page_count FROM pragma_page_count()")
        (pages,) = cursor.fetchone()
    settings.SPOOL_MAX_BYTES = pages * PAGE_BYTES
    connections["spool"].close()
    assert spool.head() is None
    assert spool.counts(1) == []


def test_very_many_that_wait_are_counted_by_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    source = factories.source(factories.key()[0])
    spool.append([factories.arrival(source, n=n) for n in range(10)])
    spool.set_aside(spool.take(5)[4], "no")
    assert spool.status().events == 9
    monkeypatch.setattr(spool, "_COUNTED", 5)
    assert spool.status().events == 10
