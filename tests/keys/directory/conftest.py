"""A directory with a clock that moves when told."""

from collections.abc import Callable
from functools import partial

import pytest

from keys.directory import Directory
from runtime.circuit import Circuit
from runtime.outage import RETRY_SECONDS
from tests.keys.directory.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Callable[..., Directory]:
    """A maker of directories of which no other process, and no other test, knows."""
    return partial(Directory, clock, database=Circuit("the database", RETRY_SECONDS, clock))


@pytest.fixture
def directory(make: Callable[..., Directory]) -> Directory:
    return make()
