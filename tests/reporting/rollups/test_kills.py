"""Real processes that are killed at random moments, writers and the rollup: in the end the buckets are exact."""

import json
import random
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection

from tests.collect.backfills.runs import Command
from tests.harness import factories
from tests.harness.waiting import eventually
from tests.reporting.rollups import oracle

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
EVENTS = 4_000
DAYS = 30


def file_of(directory: Path, number: int) -> Path:
    """A file of events that were received at any time of a month."""
    chance = random.Random(number)
    path = directory / f"{number}.ndjson"
    now = datetime.now(UTC)
    with path.open("w") as file:
        for index in range(EVENTS):
            at = now - timedelta(seconds=chance.randrange(3_600, DAYS * 86_400))
            event = {
                "event_name": chance.choice(("order_created", "custom")),
                "event_id": f"{number} {index}",
                "timestamp": at.timestamp(),
                "received_at": at.timestamp(),
                "client_id": f"client {chance.randrange(50)}",
                "user_agent": "curl/8.4.0",
                "params": {"value": chance.randrange(10_000) / 100, "currency": chance.choice(("EUR", "USD", "QQQ"))},
            }
            file.write(json.dumps(event) + "\n")
    return path


def killed(command: Command, chance: random.Random, *arguments: str) -> None:
    """Run the command killed at a random moment, sometimes twice, and then to its end."""
    for _ in range(chance.choice((1, 1, 2))):
        _kill(_begun(command, *arguments), chance)
    done = command(*arguments)
    assert done.returncode == 0, done.stderr


def _begun(command: Command, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command, and wait until it has a connection: before that nothing can break."""
    before = _connections()
    process = command.start(*arguments, stdout=subprocess.DEVNULL)
    assert eventually(lambda: _connections() > before or process.poll() is not None, 60)
    return process


def _kill(process: "subprocess.Popen[str]", chance: random.Random) -> None:
    time.sleep(chance.uniform(0, 1.5))
    process.kill()
    process.communicate(timeout=60)
    # The server ends what it does for the dead once it notices, and no sooner.
    assert eventually(lambda: _connections() == 0, 60)


def _connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.long
@pytest.mark.parametrize("files", [1, 8])
def test_kills_of_writers_and_of_the_rollup_leave_the_buckets_exact(files: int, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    command = Command()
    factories.partner("acme")
    try:
        for number in range(files):
            path = file_of(tmp_path, number)
            killed(command, chance, "import_events", str(path), "--partner", "acme")
            killed(command, chance, "rollup")
        found = oracle.events()
        assert len(found) == files * EVENTS
        killed(command, chance, "prune_events", "--older-than", f"{DAYS // 2}d")
        left = oracle.events()
        pruned = {id: one for id, one in found.items() if id not in left}
        assert pruned
        killed(command, chance, "reenrich_events", "--ua")
        killed(command, chance, "rollup")
    finally:
        command.close()
    _assert_exact(pruned)


def _assert_exact(pruned: Mapping[UUID, oracle.Seen]) -> None:
    found = oracle.events()
    assert oracle.in_cells(pruned=False) == oracle.grouped(found.values())
    assert oracle.in_cells(pruned=True) == oracle.grouped(pruned.values())
    oracle.assert_readers_see(found, pruned)
