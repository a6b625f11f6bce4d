"""Faults that need many events, or many minutes: `make faults` runs them and prints their figures."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.house import House, until
from tests.faults.load import Load

pytestmark = [pytest.mark.long, pytest.mark.timeout(3_000)]

EVENTS = 100_000
TIMES = 5
AWAY_SECONDS = 600
STEADY_RATE = 400
# What is promised in docs/operations.md: the drainer moves so many events a second at least, beside the traffic.
DRAINED_PER_SECOND = 1_000


def say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n{text}")


def test_random_restarts_and_kills_under_load_lose_and_double_nothing(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    faults = ["database", "worker", "master"] * TIMES
    chance.shuffle(faults)
    moments = sorted(chance.sample(range(1_000, EVENTS * 9 // 10), len(faults)))
    start = time.monotonic()
    with Load(house.port, house.key, tmp_path / "acknowledged", threads=16) as load:
        for fault, moment in zip(faults, moments, strict=True):
            load.wait_for(max(0, moment - load.count()), 600)
            if fault == "worker":
                house.kill_worker()
            elif fault == "master":
                house.kill_master()
            else:
                house.postgres.stop("immediate")
                time.sleep(chance.uniform(0.5, 5))
                house.postgres.start()
        load.wait_for(max(0, EVENTS - load.count()), 600)
        load.stop()
    house.wait_until_drained(120)
    answers = dict(sorted(load.answers.items()))
    say(capsys, f"seed {seed}, {load.count()} acknowledged in {time.monotonic() - start:.0f} s: {answers}")
    assert all(answer.startswith(("204", "503", "cut")) for answer in answers), answers
    assert load.answers["204 spooled"] > 0
    house.assert_whole(load.acknowledged)


def test_ten_minutes_without_the_database_under_steady_load(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    normal = rate_of(house, tmp_path, 20)
    with Load(house.port, house.key, tmp_path / "steady", threads=16, rate=STEADY_RATE) as load:
        load.wait_for(1_000)
        house.postgres.stop("immediate")
        until(lambda: load.answers["204 spooled"] > 0, 30, "it spools")
        away = rate_of(house, tmp_path, 20)
        time.sleep(AWAY_SECONDS)
        waiting = house.spooled()
        house.postgres.start()
        start = time.monotonic()
        house.wait_until_drained(waiting / DRAINED_PER_SECOND + 10)
        seconds = time.monotonic() - start
        load.wait_for(1_000)
        load.stop()
    say(capsys, f"{normal:.0f} events/s normally, {away:.0f} without the database ({away / normal:.2f} of it)")
    say(capsys, f"{waiting} events waited after {AWAY_SECONDS} s and were moved in {seconds:.1f} s: {load.answers}")
    assert set(load.answers) == {"204 stored", "204 spooled"}
    assert away >= 0.5 * normal
    house.assert_whole(load.acknowledged)


def rate_of(house: House, directory: Path, seconds: float) -> float:
    """Events a second that are acknowledged to senders who send as fast as they can."""
    with Load(house.port, house.key, directory / f"rate-{time.monotonic()}", threads=16) as load:
        load.wait_for(200)
        before, start = load.count(), time.monotonic()
        time.sleep(seconds)
        rate = (load.count() - before) / (time.monotonic() - start)
    assert all(answer.startswith("204") for answer in load.answers), load.answers
    return rate
