"""One real server for all tests that only talk to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import databases, mmdb
from tests.harness.collector import Collector, manage
from tests.harness.server import serve


@pytest.fixture(scope="session")
def collector(scratch: Path) -> Iterator[Collector]:
    """A server on a database of its own, with a City database, two workers and a live key of partner `acme`."""
    city = str(mmdb.write_city(scratch / "e2e.mmdb"))
    with databases.new(scratch) as url:
        manage(url, "migrate", "-v0")
        raw_key = manage(url, "issue_key", "--partner", "acme", "--label", "backend").strip()
        with serve(url, GEOIP_PATH=city) as server:
            yield Collector(server, url, raw_key)
