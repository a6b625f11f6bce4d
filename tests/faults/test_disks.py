"""Disks that are full or read-only: the database's, and the spool's, which is the last there is."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg

from tests.faults.house import House, until
from tests.faults.load import Load
from tests.harness.postgres import Postgres
from tests.harness.server import ROOT

UNLIMITED = "unlimited"


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    return {"event_name": "order_created", "event_id": event_id, "tag_id": "t", **fields}


def limit_files(pid: int, limit: int | str) -> None:
    """Bound the size of files of the process, and of those that it forks: what lies beyond is a full disk to it.

    The soft limit, as its own user: nobody needs a privilege for that.
    """
    process = psutil.Process(pid)
    owner: dict[str, Any] = {}
    if os.getuid() == 0:
        owner = {"user": process.uids().real, "group": process.gids().real, "extra_groups": []}
    subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={limit}:"], check=True, **owner)


def outcome(house: House, event_id: str, **fields: Any) -> str:
    status, headers, _ = house.post(event(event_id, **fields))
    return headers.get("X-Event-Outcome", str(status))


def test_database_whose_disk_is_full_is_spooled_and_drained(house: House) -> None:
    house.post(event("first"))
    with psycopg.connect(house.url) as connection:
        # The table has to be larger than a segment of the WAL, whose files have their size from the start.
        connection.execute(
            "INSERT INTO collect_event (id, received_at, timestamp, partner_id, api_key_id, channel, is_test, "
            "event_name, tag_id, params, extra) SELECT gen_random_uuid(), now(), now(), partner_id, api_key_id, 'x', "
            "false, repeat('x', 255), 't', jsonb_build_object('a', repeat(md5(n::text), 40)), '{}' "
            "FROM collect_event, generate_series(1, 25000) n"
        )
    size = house.rows("SELECT pg_relation_size('collect_event')")[0][0]
    assert size > 17 * 1024 * 1024
    name = urlsplit(house.url).path[1:]
    with psycopg.connect(house.postgres.url(), autocommit=True) as connection:
        limit_files(house.postgres.pid, size)
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        large = {"text": os.urandom(750).hex()}  # stays in the table itself, which has no room for 60 of them
        sent = [f"full-{number}" for number in range(60)]
        outcomes = [outcome(house, event_id, params=large) for event_id in sent]
        assert set(outcomes) <= {"stored", "spooled"}
        assert outcomes[-1] == "spooled"
        limit_files(house.postgres.pid, UNLIMITED)
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    house.wait_until_drained()
    house.assert_whole({"first", *sent})


def test_full_spool_answers_503_and_recovers_by_itself(make_house: Callable[..., House]) -> None:
    house = make_house(SPOOL_MAX_BYTES=str(200 * 4096))
    house.post(event("first"))
    house.post(event("second"))
    house.postgres.stop("immediate")
    try:
        until(lambda: outcome(house, "probe") == "spooled", 30, "it spools")
        large, accepted = {"text": "x" * 5_000}, {"first", "second", "probe"}
        answers = []
        for number in range(120):
            status, headers, body = house.post(event(f"fill-{number}", params=large))
            answers.append(status)
            if status == 204:
                accepted.add(f"fill-{number}")
        assert answers[0] == 204
        assert answers[-1] == 503, body
        assert int(headers["Retry-After"]) > 0
        assert house.get("/livez")[0] == 200
        assert house.get("/readyz")[0] == 503
        assert house.spool.stat().st_size <= 200 * 4096
    finally:
        house.postgres.start()
    house.wait_until_drained()
    until(lambda: outcome(house, "after", params=large) in ("stored", "duplicate"), 30, "it stores again")
    house.assert_whole(accepted)


def test_spool_on_a_full_disk_answers_503_and_recovers_when_there_is_space(house: House) -> None:
    house.post(event("first"))
    house.post(event("second"))
    house.postgres.stop("immediate")
    try:
        until(lambda: outcome(house, "probe") == "spooled", 30, "it spools")
        for pid in house.workers():
            limit_files(pid, 64 * 1024)
        answers = {outcome(house, f"full-{number}", params={"text": "x" * 30_000}) for number in range(10)}
        assert "503" in answers
        assert house.get("/livez")[0] == 200
        for pid in house.workers():
            limit_files(pid, UNLIMITED)
        until(lambda: outcome(house, "space again") == "spooled", 30, "it spools again")
    finally:
        house.postgres.start()
    house.wait_until_drained()
    house.assert_whole({"first", "second", "probe", "space again"})


def test_spool_that_cannot_be_written_answers_503_and_events_are_stored_when_the_database_is_back(
    make_house: Callable[..., House],
) -> None:
    house = make_house(SPOOL_PATH="/proc/spool.sqlite3")
    assert outcome(house, "first") == "stored"
    assert outcome(house, "second") == "stored"
    house.postgres.stop("immediate")
    try:
        status, headers, body = house.post(event("away"))
        assert status == 503, body
        assert int(headers["Retry-After"]) > 0
        assert house.get("/livez")[0] == 200
        assert house.get("/readyz")[0] == 503
    finally:
        house.postgres.start()
    until(lambda: outcome(house, "away") in ("stored", "duplicate"), 60, "it stores again")
    house.assert_whole({"first", "second", "away"})


def test_spool_survives_sigkill_of_a_writer(house: House, load: Load) -> None:
    load.wait_for(50)
    house.postgres.stop("immediate")
    try:
        load.wait_for(100)
        house.kill_worker()
        load.wait_for(100)  # by the other worker; a new one has met no key yet
        load.stop()
    finally:
        house.postgres.start()
    house.wait_until_drained()
    house.assert_whole(load.acknowledged)


def test_settings_that_break_the_promise_are_said_by_a_system_check() -> None:
    with Postgres({"fsync": "off", "synchronous_commit": "off"}) as postgres:
        url = postgres.create("unsafe")
        command = [sys.executable, "manage.py", "check", "--database", "default"]
        environment = os.environ | {"DATABASE_URL": url}
        told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stderr
    assert "(collect.W004) fsync is off in PostgreSQL" in told
    assert "(collect.W004) synchronous_commit is off in PostgreSQL" in told
    assert "full_page_writes" not in told
