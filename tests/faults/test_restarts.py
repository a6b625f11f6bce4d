"""The database stopped, the server killed: what was acknowledged is there afterwards, once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.house import KEPT, House, until
from tests.faults.load import Load
from tests.harness.collector import manage
from tests.harness.server import ROOT


def assert_answers(load: Load) -> None:
    """Fail for an answer other than 204, 503 and cut connections."""
    assert all(answer.startswith(("204", "503", "cut")) for answer in load.answers), load.answers


def test_postgresql_stopped_and_restarted_spools_and_drains(house: House, load: Load) -> None:
    load.wait_for(200)
    house.postgres.stop("immediate")
    load.wait_for(500)
    assert load.answers["204 spooled"] > 0
    assert house.get("/livez")[0] == 200
    house.postgres.start()
    house.wait_until_drained()
    load.wait_for(200)
    load.stop()
    house.wait_until_drained()
    assert_answers(load)
    assert not any(answer.startswith("401") for answer in load.answers)
    house.assert_whole(load.acknowledged)


def test_sigkill_of_a_worker_and_of_the_master_loses_nothing_acknowledged(house: House, load: Load) -> None:
    load.wait_for(200)
    house.kill_worker()
    load.wait_for(200)
    house.kill_master()
    load.wait_for(200)
    load.stop()
    assert_answers(load)
    house.assert_whole(load.acknowledged)


def test_worker_killed_while_it_drains_loses_and_doubles_nothing(house: House, load: Load) -> None:
    load.wait_for(50)  # a key that no worker has met is answered 503 while the database is away
    house.postgres.stop("immediate")
    load.wait_for(2_000)
    load.stop()
    house.postgres.start()
    before = house.count()
    for _ in range(3):
        until(lambda: house.count() > before, 30, "draining has begun")
        for pid in house.workers():
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
    house.wait_until_drained()
    house.assert_whole(load.acknowledged)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_stop_and_reload_under_load_cut_nobody_off(house: House, load: Load, sign: signal.Signals) -> None:
    load.wait_for(300)
    house.process.send_signal(sign)
    if sign == signal.SIGTERM:
        assert house.process.wait(30) == 0
        house.start()
    load.wait_for(300)
    load.stop()
    assert_answers(load)
    house.assert_whole(load.acknowledged)


def test_backfill_killed_run_twice_and_beside_live_traffic_ends_in_the_same_state(
    house: House, load: Load, tmp_path: Path
) -> None:
    """`drain_spool`, which moves events as every backfill does: in steps that can be repeated."""
    load.wait_for(50)
    house.postgres.stop("immediate")
    load.wait_for(3_000)
    load.stop()
    house.process.terminate()
    assert house.process.wait(30) == 0
    house.postgres.start()
    before = house.count()
    command = subprocess.Popen(
        [sys.executable, "manage.py", "drain_spool"], cwd=ROOT, env=house.environment_of_commands
    )
    until(lambda: house.count() > before or command.poll() is not None, 60, "it has begun")
    command.kill()
    command.wait()
    house.start()  # whose workers drain too, and take new events
    with Load(house.port, house.key, tmp_path / "beside") as beside:
        beside.wait_for(100)
        for _ in range(2):
            subprocess.run(
                [sys.executable, "manage.py", "drain_spool"], cwd=ROOT, env=house.environment_of_commands, check=False
            )
        beside.wait_for(100)
        beside.stop()
    house.wait_until_drained()
    house.assert_whole(load.acknowledged | beside.acknowledged)


def end(house: House) -> None:
    """Stop gunicorn as a supervisor does."""
    house.process.terminate()
    assert house.process.wait(30) == 0


def test_started_without_the_database_it_knows_the_keys_last_used_and_no_revoked_one(house: House) -> None:
    revoked, unused = (
        manage(house.url, "issue_key", "--partner", "acme", "--label", label).strip() for label in ("revoked", "unused")
    )
    event = {"event_name": "order_created", "tag_id": "t"}
    for key in (house.key, revoked) * 10:  # until both workers have met them
        assert house.post(event, key=key)[0] == 204
    manage(house.url, "revoke_key", revoked.rpartition("_")[0])
    until(lambda: house.kept(unused) and not house.kept(revoked), 30, "the revocation has reached the file")
    house.postgres.stop("immediate")
    end(house)
    house.start(ready=KEPT)
    try:
        for number in range(20):
            status, headers, body = house.post({**event, "event_id": f"away-{number}"})
            assert (status, headers.get("X-Event-Outcome")) == (204, "spooled"), body
        assert {house.post(event, key=revoked)[0] for _ in range(10)} == {503}
        assert house.post(event, key=unused)[0] == 204
        status, answer = house.get("/readyz")
        assert (status, answer["status"], answer["checks"]["keys"]["status"]) == (200, "ready, spooling", "ok")
    finally:
        house.postgres.start()
    house.wait_until_drained()
    until(lambda: house.post(event, key=revoked)[0] == 401, 30, "the revoked key is refused as such")
    house.assert_whole({f"away-{number}" for number in range(20)})


def test_started_without_the_database_and_without_kept_keys_it_is_not_ready(house: House) -> None:
    event = {"event_name": "order_created", "tag_id": "t"}
    house.postgres.stop("immediate")
    end(house)
    for path in house.directory.glob("spool.sqlite3*"):
        path.unlink()
    house.start(ready=KEPT)
    try:
        assert house.post(event)[0] == 503
        status, answer = house.get("/readyz")
        assert (status, answer["status"]) == (503, "not ready")
        assert answer["checks"]["keys"]["error"] == "No key is known, and the database cannot be asked"
    finally:
        house.postgres.start()
    until(lambda: house.get("/readyz")[1]["status"] == "ready", 30, "it is ready")
    until(lambda: house.post(event)[0] == 204, 30, "it takes events")
