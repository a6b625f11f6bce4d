"""What concerns PostgreSQL alone is run once, with it."""

from pathlib import Path

from tests.harness import databases

ONLY = {"test_pgbouncer.py", "test_postgresql.py"}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if databases.is_sqlite() and collection_path.name in ONLY else None
