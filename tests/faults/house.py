"""The server and its database as an operator runs them, with handles to break each of them."""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.harness.collector import manage
from tests.harness.postgres import Postgres, free_port
from tests.harness.server import ROOT, stop

START_SECONDS = 60
# What a worker logs when it has met the keys: from then on an outage of the database is none of its senders'.
READY = "keys: those in use are known"
# What a worker logs of the keys that it knows before it has asked the database.
KEPT = "keys: those that were kept are known"
# The database that is migrated once and copied for each house, and its owner.
TEMPLATE = "template_of_houses"


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for `condition`; AssertionError with `what` when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def _make_role(postgres: Postgres, role: str) -> str:
    """Make an ordinary role; the URL with which it comes to the database of its name."""
    password = secrets.token_urlsafe(16)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    parts = urlsplit(postgres.url(role))
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}"))


@cache
def _template_key(postgres: Postgres) -> str:
    """Make the database of which each house has a copy, once for each server: migrated, with this key."""
    url = _make_role(postgres, TEMPLATE)
    postgres.create(TEMPLATE)  # and stays the superuser's, since REASSIGN OWNED would hand it on too
    with psycopg.connect(postgres.url(TEMPLATE), autocommit=True) as connection:
        connection.execute(f"GRANT ALL ON SCHEMA public TO {TEMPLATE}")
    manage(url, "migrate", "-v0")
    return manage(url, "issue_key", "--partner", "acme", "--label", "load").strip()


class House:
    """Gunicorn with two workers on a migrated PostgreSQL of its own, both on ports that survive a restart."""

    def __init__(self, directory: Path, postgres: Postgres, **environment: str) -> None:
        self.postgres = postgres
        self.port = free_port()
        self.directory = directory
        self.role = f"house_{self.port}"
        self.key = _template_key(postgres)
        self.url = self._make_database()
        self.spool = directory / "spool.sqlite3"
        self.environment = {
            "DATABASE_URL": self.url,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "SPOOL_PATH": str(self.spool),
            "VAR_DIR": str(directory),
            **environment,
        }
        self._log = tempfile.NamedTemporaryFile(prefix="house-", suffix=".log")  # noqa: SIM115  # lives as long as this
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._process is not None:
            stop(self._process)
        with suppress(OSError):
            self._log.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Gunicorn's master, which may have ended. Raises RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError("the house has not been started")
        return self._process

    @property
    def environment_of_commands(self) -> dict[str, str]:
        """What `manage.py` is run with, to work on this house."""
        return os.environ | self.environment

    def _make_database(self) -> str:
        """A copy of the template and the ordinary role that owns it all: a superuser is bound by nothing."""
        url = _make_role(self.postgres, self.role)
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.role} OWNER {self.role} TEMPLATE {TEMPLATE}")
        with psycopg.connect(self.postgres.url(self.role), autocommit=True) as connection:
            connection.execute(f"REASSIGN OWNED BY {TEMPLATE} TO {self.role}")
        return url

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return Path(self._log.name).read_text()

    def start(self, wrapper: tuple[str, ...] = (), ready: str = READY) -> None:
        """Start gunicorn, as a supervisor would after it ended, and wait until both workers have logged `ready`."""
        before = self.log.count(ready)
        self._process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "gunicorn"],
            cwd=ROOT,
            env=os.environ | self.environment,
            stdout=self._log,
            stderr=self._log,
        )
        until(lambda: self.get("/livez") is not None, START_SECONDS, "gunicorn answers")
        until(lambda: self.log.count(ready) >= before + 2, START_SECONDS, "both workers know the keys")

    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        with suppress(OSError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            return [int(pid) for pid in children]
        return []

    def kill_worker(self) -> None:
        """SIGKILL one worker."""
        if workers := self.workers():
            os.kill(workers[0], signal.SIGKILL)

    def kill_master(self) -> None:
        """SIGKILL the master, and start another as a supervisor does; the orphans end by themselves."""
        self.process.kill()
        self.process.wait()
        self.start()

    def get(self, path: str, patience: float = 15) -> Any:
        """The status and the JSON (or text) of a GET; None where nobody answers in `patience` seconds."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=patience)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(body) if is_json else body.decode()

    def post(self, event: Any, path: str = "/api/collect", key: str | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to one event."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        try:
            return response.status, dict(response.headers), response.read()
        finally:
            connection.close()

    def spooled(self) -> int:
        """How many events wait in the spool, by what the server says."""
        answer = self.get("/readyz")
        return int(answer[1]["checks"]["spool"]["events"]) if answer else -1

    def wait_until_drained(self, seconds: float = 60) -> None:
        """Wait until nothing waits in the spool."""
        until(lambda: self.spooled() == 0, seconds, "the spool is empty")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query, read past the application."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def execute(self, statement: str) -> None:
        """Change the database, past the application."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)

    def kept(self, key: str) -> bool:
        """Whether the spool keeps this raw key for a start without the database."""
        with closing(sqlite3.connect(self.spool)) as connection:
            found = connection.execute("SELECT document FROM kept_keys").fetchone()
        return found is not None and key.rpartition("_")[0].encode() in found[0]

    def count(self) -> int:
        """How many events the database has."""
        return int(self.rows("SELECT count(*) FROM collect_event")[0][0])

    def assert_whole(self, acknowledged: set[str]) -> None:
        """Fail unless every acknowledged id is stored, none twice, and all under the partner that sent them."""
        found = self.rows("SELECT event_id, partner_id FROM collect_event WHERE event_id IS NOT NULL")
        stored = [event_id for event_id, _ in found]
        missing = acknowledged - set(stored)
        assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged events are missing"
        assert len(stored) == len(set(stored)), "an event is stored twice"
        assert len({partner for _, partner in found}) <= 1
