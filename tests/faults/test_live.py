"""The page Live over five minutes at full rate, and over an outage: a watcher is told of every row."""

import time
from pathlib import Path

import pytest

from tests.e2e.live import full_rate
from tests.e2e.live.watcher import Key, Watcher
from tests.faults.house import House, until
from tests.faults.load import Load

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]

MINUTES = 5
# Longer than the time in which a watcher finds by itself what is committed late.
AWAY_SECONDS = 90


@pytest.fixture
def watcher(house: House) -> Watcher:
    full_rate.add_operator(house.url)
    return Watcher(full_rate.reader(house.port))


def table(house: House) -> set[Key]:
    events = {("event", str(id)) for (id,) in house.rows("SELECT id FROM collect_event")}
    return events | {("rejection", str(id)) for (id,) in house.rows("SELECT id FROM collect_rejection")}


def test_five_minutes_at_full_rate(
    house: House, watcher: Watcher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = full_rate.watch(house.port, house.key, MINUTES * 60, tmp_path, [watcher])
    everything = table(house)
    full_rate.assert_whole(watcher, everything)
    assert len(everything) > sent
    with capsys.disabled():
        print(
            f"\n{len(everything)} rows in {MINUTES} minutes, {len(watcher.shown())} on the page, the rest behind links"
        )


def test_events_that_come_late_from_the_spool_are_told(house: House, watcher: Watcher, tmp_path: Path) -> None:
    with Load(house.port, house.key, tmp_path / "acknowledged", threads=4, rate=100) as load:
        load.wait_for(200)
        watcher.look()
        house.postgres.stop("immediate")
        until(lambda: load.answers["204 spooled"] > 0, 30, "it spools")
        time.sleep(AWAY_SECONDS)
        house.postgres.start()
        house.wait_until_drained()
        load.wait_for(200)
    deadline = time.monotonic() + 60
    while not watcher.late and time.monotonic() < deadline:
        time.sleep(full_rate.EVERY_SECONDS)
        watcher.look()
    assert {one["road"] for one in watcher.late} == {"spool"}
    full_rate.assert_whole(watcher, table(house))
