"""tests.harness.postgres: what the tests of storage and of faults rely on."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from tests.harness import postgres_binaries
from tests.harness.postgres import Postgres


@pytest.mark.parametrize("binaries", [None, postgres_binaries.in_wheel()], ids=["found", "wheel"])
def test_postgres_keeps_what_was_committed_through_a_crash(binaries: Path | None) -> None:
    with Postgres(binaries=binaries) as server:
        url = server.create("kept")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        server.restart("immediate")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_postgres_leaves_nothing_behind() -> None:
    with Postgres() as server:
        pid, home = server.pid, server.home
        os.kill(pid, signal.SIGSTOP)
    assert not home.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_postgres_takes_options_and_shows_its_log_when_it_does_not_start() -> None:
    with Postgres({"fsync": "off"}) as server:
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        server.stop()
        server.options["wal_level"] = "nonsense"
        with pytest.raises(RuntimeError, match='invalid value for parameter "wal_level"'):
            server.start()


def test_postgres_does_not_run_as_root() -> None:
    with Postgres() as server:
        assert os.stat(f"/proc/{server.pid}").st_uid != 0
