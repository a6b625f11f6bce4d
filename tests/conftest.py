"""What all tests share: the databases and the server; `plugin` has what comes before Django."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from pytest_django import Settings

from collect.captures import keeping as captures
from collect.storage.grouping import builds
from collect.storage.ledger import tally
from runtime import outage
from tests.harness import databases
from tests.harness.collector import Keyed, manage
from tests.harness.plugin import scratch_key
from tests.harness.server import Server, serve

# The same examples in every run, however slow the machine: who looks for others asks for another profile.
hypothesis.register_profile(
    "repeatable", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis.load_profile("repeatable")


@pytest.fixture(scope="session")
def scratch(pytestconfig: pytest.Config) -> Path:
    """The directory of this test run, which is deleted in the end."""
    return pytestconfig.stash[scratch_key]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, scratch: Path) -> None:
    """Make the SQLite of the tests a file: memory, which is Django's choice, is closed to other processes."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    for alias in ("default", "spool") if databases.is_sqlite() else ("spool",):
        options: dict[str, Any] = settings.DATABASES[alias]
        options["TEST"] = {**options.get("TEST", {}), "NAME": str(scratch / f"{alias}-{worker}.sqlite3")}


@pytest.fixture
def new_database(scratch: Path) -> Iterator[str]:
    """The URL of an empty database that only this test uses: no table in it."""
    with databases.new(scratch) as url:
        yield url


@pytest.fixture(scope="session")
def template(scratch: Path) -> Iterator[str]:
    """The URL of a database that is migrated once, and used by nobody but those who copy it."""
    with databases.new(scratch) as url:
        manage(url, "migrate", "-v0")
        yield url


@pytest.fixture(scope="session")
def template_with_key(scratch: Path, template: str) -> Iterator[Keyed]:
    """Another, which has a live key of partner `acme`."""
    with databases.new(scratch, template=template) as url:
        yield Keyed(url, manage(url, "issue_key", "--partner", "acme", "--label", "backend").strip())


@pytest.fixture
def migrated_database(scratch: Path, template: str) -> Iterator[str]:
    """The URL of a database that only this test uses: its tables are empty."""
    with databases.new(scratch, template=template) as url:
        yield url


@pytest.fixture
def database_with_key(scratch: Path, template_with_key: Keyed) -> Iterator[Keyed]:
    """A database that only this test uses, and the one key in it."""
    with databases.new(scratch, template=template_with_key.url) as url:
        yield Keyed(url, template_with_key.raw_key)


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    """A real gunicorn on the database of the test, with the settings that the tests have."""
    with serve(databases.current_url()) as running:
        yield running


@pytest.fixture(autouse=True)
def unthrottled(settings: Settings) -> None:
    """Let tests log in without a request; the throttle is tested by tests/thrad_events/test_login.py.

    Nor does a password take half a second to hash, which the users of nearly all tests of the console would cost.
    """
    settings.AXES_ENABLED = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    """Begin with an empty ledger in memory, whatever the test before has counted, of partners with the same ids."""
    for _ in tally.shared.take():
        pass
    tally.shared._running.clear()


@pytest.fixture(autouse=True)
def _no_builds() -> Iterator[None]:
    """Leave no builds that were counted, and not written, to the next test, whose keys may have the same ids."""
    yield
    builds._uses.clear()


@pytest.fixture(autouse=True)
def _no_outage() -> Iterator[None]:
    """Leave no outage, which the process remembers for seconds, to the next test."""
    yield
    outage.end()


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue of captures in which no other test has left any."""
    monkeypatch.setattr(captures, "shared", captures.Queue())
