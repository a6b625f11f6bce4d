"""The place of the kept keys in the spool's file, and who may read that file."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

from collect.storage import spool
from keys.directory import Directory
from tests.harness import factories

pytestmark = pytest.mark.django_db(databases=["default", "spool"], transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The file of a spool that is not there yet."""
    before = connections.settings["spool"]["NAME"]
    connections["spool"].close()
    connections.settings["spool"]["NAME"] = str(tmp_path / "new.sqlite3")
    del connections["spool"]
    yield tmp_path / "new.sqlite3"
    connections["spool"].close()
    connections.settings["spool"]["NAME"] = before
    del connections["spool"]


@pytest.mark.usefixtures("file")
def test_what_was_saved_last_is_loaded_also_by_another_connection() -> None:
    assert spool.load_keys() is None
    spool.save_keys(b"one")
    spool.save_keys(b"\x00two")
    connections["spool"].close()
    assert spool.load_keys() == b"\x00two"


@pytest.mark.usefixtures("file")
def test_keys_that_wait_are_no_events_that_wait() -> None:
    spool.save_keys(b"x" * 10_000)
    assert (spool.head(), spool.status().events) == (None, 0)


def test_nothing_of_a_raw_key_is_in_the_file(file: Path) -> None:
    key, raw_key = factories.issue()
    directory = Directory()
    directory.keep_in(spool)
    directory.housekeep()
    connections["spool"].close()
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert key.digest.encode() in written
    assert raw_key.rpartition("_")[2].encode() not in written


def test_only_the_user_of_the_server_reads_a_new_file(file: Path) -> None:
    before = os.umask(0o022)
    try:
        spool.save_keys(b"one")
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    finally:
        os.umask(before)
    assert found == dict.fromkeys(["new.sqlite3", "new.sqlite3-wal", "new.sqlite3-shm"], 0o600)
    file.chmod(0o640)
    connections["spool"].close()
    spool.save_keys(b"two")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
