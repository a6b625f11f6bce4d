"""A PostgreSQL for all faults, and a house on it for each test.

They need none of the tests' own database, and are run once: with those of PostgreSQL, or of SQLite for its own faults.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.house import House
from tests.faults.load import Load
from tests.harness import databases
from tests.harness.postgres import Postgres

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave what is about the other database to the other run."""
    is_test = collection_path.name.startswith("test_")
    return True if is_test and (collection_path.name == "test_sqlite.py") != databases.is_sqlite() else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every fault as a test that runs alone: each fills the machine, or waits for what has a time of its own."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def postgres_of_faults() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@pytest.fixture
def postgres(postgres_of_faults: Postgres) -> Postgres:
    """The PostgreSQL of all faults, running, whatever the test before has done to it."""
    if not postgres_of_faults.is_running:
        postgres_of_faults.start()
    return postgres_of_faults


@pytest.fixture
def make_house(tmp_path: Path, postgres: Postgres) -> Iterator[Callable[..., House]]:
    """Houses with settings of their own, `make_house(SPOOL_MAX_BYTES="100000")`; ended after the test."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(House(tmp_path, postgres, **environment))


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
def load(house: House, tmp_path: Path) -> Iterator[Load]:
    with Load(house.port, house.key, tmp_path / "acknowledged") as running:
        yield running
