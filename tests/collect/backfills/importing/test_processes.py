"""`import_events` as its own process: killed, stopped, and beside live traffic."""

import json
import signal
from functools import partial
from pathlib import Path

import pytest

from collect.models import Checkpoint, Event
from tests.collect.backfills.importing.loading import SEED, lines
from tests.collect.backfills.runs import Command, send_beside
from tests.harness import factories
from tests.harness.server import Server

pytestmark = pytest.mark.django_db(transaction=True)


MANY = 15_000


def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.ndjson"
    with path.open("wb") as file:
        for number in range(MANY):
            event = {"event_name": "custom", "params": {"number": number}}
            file.write(lines(event if number % 2 else {**event, "event_id": str(number)}))
            if not number % 3000:
                file.write(b"{broken\n")
    return path


def has_more_than(number: int) -> bool:
    return Event.objects.count() > number


def test_killed_and_run_again_ends_as_if_it_had_run_once(command: Command, tmp_path: Path) -> None:
    path, rejects = many(tmp_path), tmp_path / "rejects.ndjson"
    arguments = ("import_events", str(path), "--partner", "acme", "--create-partner", "--rejects", str(rejects))
    for least in (MANY // 10, MANY // 3):
        status = command.kill_when(partial(has_more_than, least), *arguments)
        assert status == -signal.SIGKILL
    assert MANY // 3 < Event.objects.count() < MANY
    done = command(*arguments)
    assert done.returncode == 3, done.stderr
    numbers = sorted(Event.objects.values_list("params__number", flat=True))
    assert numbers == list(range(MANY))
    assert [json.loads(line)["line"] for line in rejects.read_text().splitlines()] == [
        3001 * step + 2 for step in range(MANY // 3000)
    ]
    assert not Checkpoint.objects.exists()
    again = command(*arguments)
    assert again.returncode == 3
    assert f"{MANY:,} stored before" in again.stderr


def test_stopped_by_a_signal_it_goes_on_later(command: Command, tmp_path: Path) -> None:
    path = many(tmp_path)
    arguments = ("import_events", str(path), "--partner", "acme", "--create-partner")
    status = command.kill_when(lambda: Event.objects.count() > MANY // 10, *arguments, by=signal.SIGTERM)
    assert status == 143
    assert Checkpoint.objects.get().command == "import_events"
    done = command(*arguments)
    assert "Going on where the run of" in done.stderr
    assert f"{MANY:,} stored" in done.stderr
    assert Event.objects.count() == MANY


def test_beside_live_traffic_both_are_whole(command: Command, server: Server, tmp_path: Path) -> None:
    _, raw_key = factories.key(factories.partner("acme"))
    process = command.start("import_events", str(many(tmp_path)), "--partner", "acme", "--create-partner")
    sent = send_beside(process, server, raw_key, status=3).total()
    assert Event.objects.filter(event_id__startswith="live ").count() == sent > 0
    assert Event.objects.count() == MANY + sent


def test_standard_input_and_the_exit_status(command: Command, tmp_path: Path) -> None:
    done = command("import_events", "-", "--partner", "acme", "--create-partner", stdin=lines(SEED).decode())
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 stored" in done.stderr
    rejects = tmp_path / "rejects"
    for _ in range(2):
        again = command(
            "import_events", "-", "--partner", "acme", "--create-partner", "--rejects", str(rejects), stdin="{x\n"
        )
        assert again.returncode == 3, again.stderr
    assert rejects.stat().st_mode & 0o077 == 0
    nowhere = command(
        "import_events", "-", "--partner", "acme", "--create-partner", "--rejects", "/dev/null", stdin="{x\n"
    )
    assert nowhere.returncode == 3, nowhere.stderr
    assert command("import_events", str(tmp_path / "none"), "--partner", "acme", "--create-partner").returncode == 1
    assert command("import_events").returncode == 2
