"""A damaged City database under a real server: at the start, and put in the place of a good one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness import mmdb
from tests.harness.collector import Collector, Keyed
from tests.harness.server import ROOT, serve
from tests.harness.waiting import eventually


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return mmdb.write_city(tmp_path / "city.mmdb")


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"node_count", b"node_cOunt"))


def geo(collector: Collector) -> Any:
    answer = collector.request("GET", "/readyz", Authorization=None)
    assert (answer.status, answer.json()["status"]) == (200, "ready")
    return answer.json()["checks"]["geo"]


def test_damaged_file_stops_neither_the_checks_nor_the_start(database_with_key: Keyed, path: Path) -> None:
    damage(path)
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"DATABASE_URL": database_with_key.url, "GEOIP_PATH": str(path)},
    )  # fmt: skip
    assert "collect.W001" in checked.stderr
    assert "Traceback" not in checked.stderr
    assert checked.returncode == 0
    with serve(database_with_key.url, GEOIP_PATH=str(path)) as server:
        collector = Collector(server, *database_with_key)
        assert collector.post({"event_name": "a", "event_id": "damaged"}).status == 204
        assert collector.row("damaged", "geo_country, geo_city, geo_lat") == (None, None, None)
        assert geo(collector)["status"] == "failed"


def test_damaged_file_in_place_of_a_good_one_costs_neither_events_nor_places(
    database_with_key: Keyed, path: Path
) -> None:
    with serve(database_with_key.url, GEOIP_PATH=str(path), WEB_CONCURRENCY="1") as server:
        collector = Collector(server, *database_with_key)
        assert collector.post({"event_name": "a", "event_id": "before"}).status == 204
        damage(path)
        assert eventually(lambda: geo(collector)["status"] == "failed")
        assert geo(collector)["built_at"] is not None
        for number in range(5):
            assert collector.post({"event_name": "a", "event_id": f"damaged-{number}"}).status == 204
            assert collector.row(f"damaged-{number}", "geo_city") == ("Berlin",)
        mmdb.write_city(path, {"127.0.0.0/8": mmdb.LONDON})
        assert eventually(lambda: geo(collector)["status"] == "ok")
        assert collector.post({"event_name": "a", "event_id": "mended"}).status == 204
        assert collector.row("mended", "geo_city") == ("London",)
        assert server.log.count("node_cOunt") == 1
        assert "Traceback" not in server.log
