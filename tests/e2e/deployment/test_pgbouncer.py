"""PgBouncer in front of PostgreSQL, as docs/operations.md configures it: the promises and the time-outs hold."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.e2e.deployment.programs import running
from tests.e2e.deployment.samples import placed, sample
from tests.faults.house import House, until
from tests.harness.collector import Collector, manage
from tests.harness.postgres import Postgres, free_port
from tests.harness.server import ROOT, Server

pytestmark = pytest.mark.alone

TIMEOUTS = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
ASK = f"""
from django.db import connection

with connection.cursor() as cursor:
    for name in {TIMEOUTS}:
        cursor.execute("SHOW " + name)
        print(cursor.fetchone()[0])
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as running_one:
        yield running_one


@contextmanager
def pgbouncer(house: House, **places: str) -> Iterator[str]:
    """The URL under which the house's database is reached through PgBouncer; `places` changes the sample."""
    directory = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    port, place = free_port(), urlsplit(house.url)
    own = {
        "db.internal port=5432 dbname=events": f"127.0.0.1 port={house.postgres.port} dbname={house.role}",
        "listen_port = 6432": f"listen_port = {port}",
        "/etc/pgbouncer/userlist.txt": str(directory / "userlist.txt"),
    }
    try:
        # It refuses to run as root.
        directory.chmod(0o755)
        (directory / "userlist.txt").write_text(f'"{place.username}" "{place.password}"\n')
        (directory / "pgbouncer.ini").write_text(placed(sample("ini", having="[pgbouncer]"), own | places))
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        with running(["pgbouncer", *user, str(directory / "pgbouncer.ini")], port, directory):
            netloc = f"{place.username}:{place.password}@127.0.0.1:{port}"
            yield urlunsplit(place._replace(netloc=netloc, path="/events"))
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> House:
    """A migrated database and its role; no server."""
    return House(tmp_path_factory.mktemp("house"), postgres)


@pytest.fixture(scope="module")
def house(direct: House) -> Iterator[House]:
    """A server that knows PostgreSQL only through PgBouncer."""
    with pgbouncer(direct) as url:
        direct.environment["DATABASE_URL"] = url
        with direct:
            yield direct


def outcome(house: House, event_id: str) -> str:
    collector = Collector(Server(house.process, "127.0.0.1", house.port, Path()), house.url, house.key)
    answer = collector.post({"event_name": "order_created", "event_id": event_id})
    assert answer.status == 204, answer.body
    return answer.headers["X-Event-Outcome"]


def stored(house: House, *event_ids: str) -> list[str]:
    """Which of these are rows, each as often as it is one."""
    with psycopg.connect(house.url) as database:
        rows = database.execute("SELECT event_id FROM collect_event WHERE event_id = ANY(%s)", [list(event_ids)])
        return sorted(event_id for (event_id,) in rows)


def recovered(house: House) -> None:
    """Wait until no worker thinks any more that the database is away."""
    until(lambda: all(outcome(house, uuid.uuid4().hex) == "stored" for _ in range(12)), 60, "events are stored again")


def test_events_are_stored_once_and_the_server_is_ready(house: House) -> None:
    assert [outcome(house, "first") for _ in range(3)] == ["stored", "duplicate", "duplicate"]
    assert house.get("/readyz")[1]["status"] == "ready"
    assert stored(house, "first") == ["first"]


def test_locked_table_is_waited_for_within_bounds_and_spooled(house: House) -> None:
    with psycopg.connect(house.url) as other:
        other.execute("LOCK TABLE collect_event IN ACCESS EXCLUSIVE MODE")
        # The harness waits 10 s; nothing but the time-out of a lock ends the wait of the server's statement before.
        assert outcome(house, "locked") == "spooled"
        assert "canceling statement due to lock timeout" in house.log
    until(lambda: stored(house, "locked") == ["locked"], 60, "the spool is drained")
    recovered(house)


def test_outage_behind_it_is_spooled_and_drained(house: House) -> None:
    house.postgres.stop("immediate")
    try:
        assert outcome(house, "during") == "spooled"
    finally:
        house.postgres.start()
    until(lambda: stored(house, "during") == ["during"], 60, "the spool is drained")
    recovered(house)


@pytest.mark.parametrize(
    ("program", "timeouts"),
    [(("-m", "django"), ["5s", "4s", "1min"]), (("manage.py",), ["0", "0", "1min"])],
    ids=["the server", "manage.py, which may take its time"],
)
def test_timeouts_are_those_without_it(direct: House, program: tuple[str, ...], timeouts: list[str]) -> None:
    with pgbouncer(direct) as url:
        for place in (direct.url, url):
            told = subprocess.run(
                [sys.executable, *program, "shell", "-v0", "-c", ASK],
                cwd=ROOT,
                env=os.environ | {"DATABASE_URL": place, "DJANGO_SETTINGS_MODULE": "thrad_events.settings"},
                capture_output=True,
                text=True,
                check=True,
            )
            assert told.stdout.split() == timeouts


def test_connections_by_the_session_pass_the_check(direct: House) -> None:
    with pgbouncer(direct) as url:
        for place in (direct.url, url):
            assert "E006" not in manage(place, "check", "--database", "default")


@pytest.mark.parametrize("order", ["", "server_round_robin = 1\n"], ids=["the last used first", "in turn"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_connections_by_the_transaction_are_named_by_a_check(direct: House, mode: str, order: str) -> None:
    places = {"pool_mode=session": f"pool_mode={mode}", "[pgbouncer]\n": f"[pgbouncer]\n{order}"}
    with pgbouncer(direct, **places) as url:
        _open_two(url)
        told = subprocess.run(
            [sys.executable, "manage.py", "migrate"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert told.returncode == 1
    assert "collect.E006" in told.stderr
    assert "pool_mode = session" in told.stderr


def _open_two(url: str) -> None:
    """Have PgBouncer keep two connections to PostgreSQL, so that a transaction may get either."""
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as other:
        asking = threading.Thread(target=one.execute, args=["SELECT pg_sleep(0.5)"])
        asking.start()
        other.execute("SELECT pg_sleep(0.5)")
        asking.join()
