"""A directory with a clock that moves when told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from time_machine import TimeMachineFixture

from keys.directory import Directory
from runtime.circuit import Circuit
from runtime.outage import RETRY_SECONDS
from tests.keys.directory.clock import Clock
from tests.keys.directory.store import Store

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


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


@pytest.fixture
def wait(time_machine: TimeMachineFixture) -> Callable[[float], None]:
    """Noon, and a function that sets the clock of the machine to so many seconds after it."""

    def move(seconds: float) -> None:
        time_machine.move_to(NOW + timedelta(seconds=seconds), tick=False)

    move(0)
    return move


@pytest.fixture
def store() -> Store:
    return Store()
