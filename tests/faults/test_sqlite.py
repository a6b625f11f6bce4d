"""SQLite as the only database: what it cannot take is a 503, and the next event is stored again."""

import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from tests.faults.house import until
from tests.faults.load import Load
from tests.faults.trace import assert_synced_before_204, needs_strace, traced
from tests.harness.collector import Answer, Collector, Keyed
from tests.harness.server import serve


@pytest.fixture
def url(database_with_key: Keyed) -> str:
    return database_with_key.url


@pytest.fixture
def key(database_with_key: Keyed) -> str:
    return database_with_key.raw_key


@pytest.fixture
def collector(url: str, key: str) -> Iterator[Collector]:
    with serve(url) as server:
        yield Collector(server, url, key)


def path_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    return {"event_name": "order_created", "event_id": event_id, "tag_id": "t", **fields}


def meet_both_workers(collector: Collector) -> None:
    for number in range(30):
        assert collector.post(event(f"met-{number}")).status == 204


def assert_503(answer: Answer) -> None:
    assert answer.status == 503, answer.body
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] == "unavailable"


def assert_whole(url: str, acknowledged: set[str]) -> None:
    with closing(sqlite3.connect(path_of(url))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = [row[0] for row in connection.execute("SELECT event_id FROM collect_event")]
    assert not acknowledged - set(stored)
    assert len(stored) == len(set(stored))


def test_locked_database_is_a_503_within_its_timeout_and_then_stores_again(collector: Collector) -> None:
    meet_both_workers(collector)
    with closing(sqlite3.connect(path_of(collector.database_url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert_503(collector.post(event("locked")))
        assert collector.server.request("GET", "/readyz").status == 503
        assert collector.server.request("GET", "/livez").status == 200
        other.execute("ROLLBACK")
    assert collector.post(event("locked")).headers["X-Event-Outcome"] == "stored"


def test_full_disk_is_a_503_and_then_stores_again(collector: Collector) -> None:
    meet_both_workers(collector)
    workers = psutil.Process(collector.server.process.pid).children()
    for worker in workers:
        # A soft limit on the size of files, below that of the database: a full disk to this process.
        subprocess.run(["prlimit", "--pid", str(worker.pid), "--fsize=65536:"], check=True)
    for number in range(5):
        assert_503(collector.post(event(f"full-{number}", params={"text": "x" * 100_000})))
    assert "It took no events" in collector.server.request("GET", "/readyz").read().decode()
    for worker in workers:
        subprocess.run(["prlimit", "--pid", str(worker.pid), "--fsize=unlimited:"], check=True)
    for number in range(5):
        assert collector.post(event(f"full-{number}")).headers["X-Event-Outcome"] == "stored"
    assert_whole(collector.database_url, {f"full-{number}" for number in range(5)})


def test_read_only_database_is_a_503_and_then_stores_again(url: str, key: str) -> None:
    # Root may write to anything; without this one right its server is held by the modes of files like any other.
    held = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override") if os.geteuid() == 0 else ()
    path = path_of(url)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.chmod(path, 0o444)
    with serve(url, wrapper=held) as server:
        collector = Collector(server, url, key)
        # Before the first event too.
        assert server.request("GET", "/readyz").status == 503
        for number in range(10):
            assert_503(collector.post(event(f"read-only-{number}")))
        assert server.request("GET", "/livez").status == 200
        for file in Path(path).parent.glob(
            f"{Path(path).name}*"
        ):  # SQLite's own files, made with the modes of this one
            file.chmod(0o644)
        until(lambda: collector.post(event("writable")).status == 204, 30, "it stores again")
        until(lambda: server.request("GET", "/readyz").status == 200, 30, "it is ready again")
    assert_whole(url, {"writable"})


def test_sigkill_during_commits_leaves_a_whole_database(url: str, key: str, tmp_path: Path) -> None:
    with serve(url) as server, Load(server.port, key, tmp_path / "acknowledged") as load:
        for _ in range(3):
            load.wait_for(150)
            for worker in psutil.Process(server.process.pid).children():
                worker.send_signal(signal.SIGKILL)
        load.wait_for(150)
        load.stop()
        assert all(answer.startswith(("204", "503", "cut")) for answer in load.answers), load.answers
    assert_whole(url, load.acknowledged)


def test_nobody_gets_a_503_because_another_worker_writes(url: str, key: str, tmp_path: Path) -> None:
    with serve(url) as server, Load(server.port, key, tmp_path / "acknowledged", threads=16) as load:
        load.wait_for(2_000)
        load.stop()
    assert set(load.answers) == {"204 stored"}
    assert_whole(url, load.acknowledged)


@pytest.mark.django_db
def test_synchronous_is_full_on_every_connection() -> None:
    found: list[int] = []

    def look() -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous")
            found.append(cursor.fetchone()[0])
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert found == [2, 2, 2]


@needs_strace
def test_sqlite_syncs_its_log_before_the_204(collector: Collector, tmp_path: Path) -> None:
    meet_both_workers(collector)
    master = psutil.Process(collector.server.process.pid)
    with traced([master.pid, *(child.pid for child in master.children())], tmp_path) as calls:
        assert collector.post(event("power-loss-3")).headers["X-Event-Outcome"] == "stored"
    assert_synced_before_204(calls, "power-loss-3", ".sqlite3-wal")
