"""A server with an empty database and somebody who may look."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.live.full_rate import add_operator
from tests.harness import databases
from tests.harness.collector import Collector, manage
from tests.harness.server import serve


@pytest.fixture
def own(scratch: Path) -> Iterator[Collector]:
    """A server on a database of its own, with a live key of the partner acme and an operator."""
    with databases.new(scratch) as url:
        manage(url, "migrate", "-v0")
        add_operator(url)
        raw_key = manage(url, "issue_key", "--partner", "acme", "--label", "backend").strip()
        with serve(url) as server:
            yield Collector(server, url, raw_key)
