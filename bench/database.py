"""The database of a measurement: made, migrated, emptied between rounds, counted after them."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.servers import ROOT, cpu_seconds
from tests.harness.postgres import Postgres

# Durable like production, and with room for a round's WAL, so that no checkpoint falls into one and not another.
POSTGRES = {
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "min_wal_size": "2GB",
    "checkpoint_timeout": "30min",
    "max_connections": "100",
}


@dataclass(frozen=True)
class Database:
    """A migrated database with one live key; its URL is put into the environment of the servers."""

    url: str
    raw_key: str

    @classmethod
    def sqlite(cls, path: Path, environment: dict[str, str]) -> "Database":
        return cls._make(f"sqlite:///{path}", environment)

    @classmethod
    def postgresql(cls, url: str, environment: dict[str, str]) -> "Database":
        return cls._make(url, environment)

    @classmethod
    @contextmanager
    def own(cls, **settings: str) -> "Iterator[Database]":
        """A PostgreSQL of its own, for Django in this process: set it up when the database is filled."""
        with tempfile.TemporaryDirectory() as directory, Postgres(POSTGRES) as postgres:
            environment = {"ENV_FILE": os.devnull, "SECRET_KEY": "of the bench " * 5, "VAR_DIR": directory, **settings}
            database = cls.postgresql(postgres.create("bench"), environment)
            os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "thrad_events.settings"}
            yield database

    @classmethod
    def _make(cls, url: str, environment: dict[str, str]) -> "Database":
        environment["DATABASE_URL"] = url
        _manage(environment, "migrate", "-v0")
        return cls(url, _manage(environment, "issue_key", "--partner", "bench", "--label", "bench").strip())

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite:")

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run each statement by itself; the rows of the last one."""
        if self.is_sqlite:
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
            rows = [connection.execute(statement).fetchall() for statement in statements]
            connection.close()
            return rows[-1]
        with psycopg.connect(self.url, autocommit=True) as database:
            cursors = [database.execute(statement) for statement in statements]
            return cursors[-1].fetchall() if cursors[-1].description else []

    def empty(self) -> None:
        """Leave it as after a fresh start: no events, and nothing to write back."""
        if self.is_sqlite:
            self.execute("DELETE FROM collect_event", "PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            self.execute("TRUNCATE collect_event", "VACUUM ANALYZE collect_event", "CHECKPOINT")

    def count(self) -> int:
        return int(self.execute("SELECT count(*) FROM collect_event")[0][0])

    def cpu_seconds(self) -> float:
        """Return the processor time of PostgreSQL and all its processes; 0 on SQLite, which is in the workers."""
        if self.is_sqlite:
            return 0.0
        with psycopg.connect(self.url) as database:
            return cpu_seconds(psutil.Process(database.info.backend_pid).ppid())

    def describe(self) -> dict[str, str]:
        if self.is_sqlite:
            return {"sqlite": sqlite3.sqlite_version}
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "full_page_writes")
        return {name: self.execute(f"SHOW {name}")[0][0] for name in names}


class Growing(Database):
    """The database, whose rows stay between rounds."""

    def empty(self) -> None:
        """Leave it as after a long life: vacuumed, and nothing to write back."""
        self.execute("VACUUM ANALYZE collect_event", "CHECKPOINT")


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    settings = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=True).stdout
