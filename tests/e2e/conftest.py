"""One real server for all tests that only talk to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import databases, mmdb
from tests.harness.collector import Collector, Keyed
from tests.harness.server import serve


@pytest.fixture(scope="session")
def collector(scratch: Path, template_with_key: Keyed) -> Iterator[Collector]:
    """A server on a database of its own, with a City database, two workers and a live key of partner `acme`."""
    city = str(mmdb.write_city(scratch / "e2e.mmdb"))
    with databases.new(scratch, template=template_with_key.url) as url, serve(url, GEOIP_PATH=city) as server:
        yield Collector(server, url, template_with_key.raw_key)
