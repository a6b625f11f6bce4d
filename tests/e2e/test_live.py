"""The page Live beside senders at full rate: what a watcher sees and what its links lead to is exactly the table."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import live
from tests.harness import databases
from tests.harness.collector import Collector, manage
from tests.harness.server import ROOT, serve
from tests.harness.watcher import Key, Watcher

SECONDS = 20


@pytest.fixture
def own(scratch: Path) -> Iterator[Collector]:
    """A server on a database of its own, with somebody who may look."""
    with databases.new(scratch) as url:
        manage(url, "migrate", "-v0")
        command = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--username=w", "--email=w@example.com"]
        settings = os.environ | {"DATABASE_URL": url, "DJANGO_SUPERUSER_PASSWORD": "a long password"}
        subprocess.run(command, cwd=ROOT, env=settings, check=True, capture_output=True)
        raw_key = manage(url, "issue_key", "--partner", "acme", "--label", "backend").strip()
        with serve(url) as server:
            yield Collector(server, url, raw_key)


def table(collector: Collector, where: str = "true") -> set[Key]:
    """All rows, read past the application."""
    events = collector.rows(f"SELECT id FROM collect_event WHERE {where}")
    rejections = collector.rows("SELECT id FROM collect_rejection") if where == "true" else []
    return {("event", str(uuid.UUID(str(id)))) for (id,) in events} | {("rejection", str(id)) for (id,) in rejections}


def test_rows_that_a_watcher_sees_and_those_behind_its_links_are_the_table(own: Collector, tmp_path: Path) -> None:
    get = live.reader(own.server.port, "w", "a long password")
    watchers = [Watcher(get, query) for query in ("", "partner=1", "tag=batch")]
    sent = live.watch(own.server.port, own.raw_key, SECONDS, tmp_path, watchers)
    everything = table(own)
    assert len(everything) > sent
    assert any(one["more"] for one in watchers[0].seconds.values()), "nothing was folded"
    live.assert_whole(watchers[0], everything)
    live.assert_whole(watchers[1], everything)
    live.assert_whole(watchers[2], table(own, "tag_id = 'batch'"))
    assert watchers[0].late == []
