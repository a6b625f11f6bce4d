"""The page Live beside senders at full rate: what a watcher sees and what its links lead to is exactly the table."""

import uuid
from pathlib import Path

import pytest

from tests.e2e.live import full_rate
from tests.e2e.live.watcher import Key, Watcher
from tests.harness.collector import Collector

pytestmark = pytest.mark.alone

SECONDS = 20


def table(collector: Collector, where: str = "true") -> set[Key]:
    """All rows, read past the application."""
    events = collector.rows(f"SELECT id FROM collect_event WHERE {where}")
    rejections = collector.rows("SELECT id FROM collect_rejection") if where == "true" else []
    return {("event", str(uuid.UUID(str(id)))) for (id,) in events} | {("rejection", str(id)) for (id,) in rejections}


def test_rows_that_a_watcher_sees_and_those_behind_its_links_are_the_table(own: Collector, tmp_path: Path) -> None:
    get = full_rate.reader(own.server.port)
    watchers = [Watcher(get, query) for query in ("", "partner=1", "tag=batch")]
    sent = full_rate.watch(own.server.port, own.raw_key, SECONDS, tmp_path, watchers)
    everything = table(own)
    assert len(everything) > sent
    assert any(one["more"] for one in watchers[0].seconds.values()), "nothing was folded"
    full_rate.assert_whole(watchers[0], everything)
    full_rate.assert_whole(watchers[1], everything)
    full_rate.assert_whole(watchers[2], table(own, "tag_id = 'batch'"))
    assert watchers[0].late == []
