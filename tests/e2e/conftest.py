"""One real server for all tests that only talk to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import databases, mmdb
from tests.harness.collector import Collector, Keyed
from tests.harness.server import serve

# What makes gunicorn serve every request: it counts them (docs/decisions/0018).
BY_GUNICORN = "--max-requests 100000000"


@pytest.fixture(scope="session", params=["plain", pytest.param("gunicorn", marks=pytest.mark.long)])
def collector(request: pytest.FixtureRequest, scratch: Path, template_with_key: Keyed) -> Iterator[Collector]:
    """A server on a database of its own, with a City database, two workers and a live key of partner `acme`.

    `make faults` runs the tests also on a server that leaves plain requests to gunicorn.
    """
    city = str(mmdb.write_city(scratch / f"e2e-{request.param}.mmdb"))
    arguments = BY_GUNICORN if request.param == "gunicorn" else ""
    with (
        databases.new(scratch, template=template_with_key.url) as url,
        serve(url, GEOIP_PATH=city, GUNICORN_CMD_ARGS=arguments) as server,
    ):
        yield Collector(server, url, template_with_key.raw_key)
