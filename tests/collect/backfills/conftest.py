"""What the tests of backfills share: runs that say nothing, commands as processes, and a kill in the middle."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from collect.backfills.run import Run
from collect.intake.source import Source
from keys.models import ApiKey
from tests.collect.backfills.importing.loading import Loader
from tests.collect.backfills.runs import Command, NewRun, Told
from tests.harness import factories, mmdb


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def new_run(told: Told) -> NewRun:
    """A maker of runs, all of which speak to `told`."""

    def make(command: str = "test", **options: Any) -> Run:
        return Run(command, told.append, **options)

    return make


@pytest.fixture
def command(transactional_db: None) -> Iterator[Command]:
    with closing(Command()) as command:
        yield command


@pytest.fixture
def load(tmp_path: Path, new_run: NewRun) -> Loader:
    return Loader(tmp_path, new_run)


@pytest.fixture
def api_key() -> ApiKey:
    return factories.key(factories.partner("acme"))[0]


@pytest.fixture
def city(tmp_path: Path, settings: Settings) -> Path:
    """A geo database that knows 81.2.69.0/24 as London and 8.8.8.0/24 as Oakland."""
    path = mmdb.write_city(tmp_path / "city.mmdb")
    settings.GEOIP_PATH = str(path)
    return path


@pytest.fixture
def source() -> Source:
    return factories.source(factories.key()[0])
