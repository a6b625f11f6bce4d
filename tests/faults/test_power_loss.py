"""What is acknowledged has been synced to disk: seen in the system calls, for the database and for the spool."""

from pathlib import Path
from typing import Any

import psutil

from tests.faults.house import House, until
from tests.faults.trace import assert_synced_before_204, needs_strace, traced


def event(event_id: str) -> dict[str, Any]:
    return {"event_name": "order_created", "event_id": event_id, "tag_id": "t"}


def processes(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


@needs_strace
def test_postgresql_syncs_its_log_before_the_204(house: House, tmp_path: Path) -> None:
    assert house.post(event("warm"))[0] == 204
    with traced(processes(house.process.pid) + processes(house.postgres.pid), tmp_path) as calls:
        status, headers, _ = house.post(event("power-loss-1"))
        assert (status, headers["X-Event-Outcome"]) == (204, "stored")
    assert_synced_before_204(calls, "power-loss-1", "/pg_wal/")


@needs_strace
def test_spool_syncs_its_log_before_the_204(house: House, tmp_path: Path) -> None:
    for number in range(30):
        assert house.post(event(f"met-{number}"))[0] == 204
    house.postgres.stop("immediate")
    try:
        until(lambda: house.post(event("away"))[1].get("X-Event-Outcome") == "spooled", 30, "it spools")
        with traced(processes(house.process.pid), tmp_path) as calls:
            status, headers, _ = house.post(event("power-loss-2"))
            assert (status, headers["X-Event-Outcome"]) == (204, "spooled")
        assert_synced_before_204(calls, "power-loss-2", "/spool.sqlite3-wal")
    finally:
        house.postgres.start()
