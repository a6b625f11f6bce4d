"""A new file of the spool, which processes may make at the same moment."""

from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from collect.storage import spool

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
