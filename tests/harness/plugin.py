"""Which database the tests run on, decided before Django reads its settings.

No test may see the developer's `.env`, `var/` or environment, or be skipped for the want of a PostgreSQL.
A plugin that pyproject.toml names, because pytest-django loads the settings before any conftest is read.
"""

import os
import re
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness import databases
from tests.harness.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]

# Linux's file system in memory, and how much a run may need of it.
MEMORY, ROOM = Path("/dev/shm"), 4 * 1024**3  # noqa: S108  # a directory of its own is made in it

scratch_key = pytest.StashKey[Path]()
postgres_key = pytest.StashKey[Postgres]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--database`."""
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="what the tests run on: SQLite in a file, or PostgreSQL (TEST_DATABASE_URL, else their own)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set the environment for the settings, which pytest-django loads in this same hook."""
    scratch = early_config.stash[scratch_key] = Path(tempfile.mkdtemp(prefix="tests-", dir=_in_memory()))
    if "PYTEST_XDIST_WORKER" not in os.environ:  # else the process that started this one has done it
        _isolate(_database_url(early_config, scratch))
    # Its own for each process of `-n`: the spool and the counts of the metrics are files in it.
    os.environ |= {"VAR_DIR": str(scratch), "GEOIP_PATH": str(scratch / "city.mmdb")}


def _in_memory() -> Path | None:
    """Where databases of tests are that claim nothing of a disk; None where they have to be on one.

    Nearly every test waits for some of its files to be synced, which takes a disk milliseconds. Containers often have
    a small one, or one from which the binaries of PostgreSQL could not be run.
    """
    with suppress(OSError):
        place = os.statvfs(MEMORY)
        if place.f_bavail * place.f_frsize >= ROOM and not place.f_flag & os.ST_NOEXEC:
            return MEMORY
    return None


def _database_url(config: pytest.Config, scratch: Path) -> str:
    """Where the database will be; nothing is started yet."""
    if config.known_args_namespace.database == "sqlite":
        return f"sqlite:///{scratch}/events.sqlite3"
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    config.stash[postgres_key] = Postgres(below=_in_memory())
    return config.stash[postgres_key].url("events")


def _isolate(database_url: str) -> None:
    """Leave nothing of the developer's settings; the names are those of `.env.example`."""
    for name in re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        os.environ.pop(name, None)
    os.environ |= {
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "only for tests, and long enough for all that asks: 0123456789abcdef",
        "DATABASE_URL": database_url,
    }


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to the run on the other database what belongs there alone."""
    others = "postgresql" if config.known_args_namespace.database == "sqlite" else "once"
    left = [item for item in items if item.get_closest_marker(others)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if not item.get_closest_marker(others)]


def pytest_configure(config: pytest.Config) -> None:
    """Start the PostgreSQL that was chosen. Raises RuntimeError where it does not start."""
    # SIGTERM otherwise ends this process without the clean-up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if postgres := config.stash.get(postgres_key, None):
        postgres.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was started and delete what was written; called after an interrupt too."""
    if postgres := config.stash.get(postgres_key, None):
        postgres.remove()
    shutil.rmtree(config.stash[scratch_key], ignore_errors=True)


def pytest_report_header() -> str:
    """Name the database."""
    return f"database: {databases.describe()}"
