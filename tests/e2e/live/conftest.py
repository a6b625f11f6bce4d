"""A server with an empty database and somebody who may look."""

from collections.abc import Iterator

import pytest

from tests.e2e.live.full_rate import add_operator
from tests.harness.collector import Collector, Keyed
from tests.harness.server import serve


@pytest.fixture
def own(database_with_key: Keyed) -> Iterator[Collector]:
    """A server on a database of its own, with a live key of the partner acme and an operator."""
    add_operator(database_with_key.url)
    with serve(database_with_key.url) as server:
        yield Collector(server, *database_with_key)
