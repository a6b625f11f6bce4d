"""What a worker starts once it has forked."""

import gc
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from collect.backfills import pruning
from collect.captures import keeping as captures
from collect.mending import runner
from collect.search import indexer
from collect.storage import drain, ingest, spool
from collect.storage.ledger import writing
from keys import directory, housekeeping
from reporting.rollups import thread as rollup
from reporting.runs import thread as reports
from thrad_events import workers


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of what was started, none of which runs; the collector of garbage is as before in the end."""
    names: list[str] = []
    periodic = {"keys": housekeeping, "pruning": pruning, "mends": runner, "captures": captures}
    periodic |= {"search": indexer, "rollup": rollup, "reports": reports, "ledger": writing, "drain": drain}
    for name, module in periodic.items():
        monkeypatch.setattr(module.thread, "start", lambda name=name: names.append(name))
    monkeypatch.setattr(ingest, "start", lambda: names.append("ingest"))
    monkeypatch.setattr(directory, "keep_in", lambda store: names.append(f"kept in {store.__name__}"))
    monkeypatch.setattr(writing.shared, "begin", lambda: None)
    threshold = gc.get_threshold()
    yield names
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.parametrize("has_spool", [True, False])
def test_worker_starts_its_threads_and_where_there_is_a_spool_the_drain_and_keeps_keys_in_it(
    started: list[str], monkeypatch: pytest.MonkeyPatch, has_spool: bool
) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: has_spool)
    workers.start()
    of_spool = ["kept in collect.storage.spool", "drain"] if has_spool else []
    periodic = ["keys", "pruning", "mends", "captures", "search", "rollup", "reports"]
    assert started == [*of_spool, "ingest", "ledger", *periodic]
    assert gc.get_freeze_count() > 0


def test_worker_starts_where_the_spool_has_no_place(
    started: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    """It takes events as long as the database does; the check settings.E003 names the path before."""
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    settings.SPOOL_PATH = f"{__file__}/spool.sqlite3"
    workers.start()
    assert "ingest" in started
    assert [record.getMessage() for record in caplog.records] == ["SPOOL_PATH cannot be used"]
