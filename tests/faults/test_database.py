"""The database there and not answering: each event is answered in bounded time, kept, and stored when it is back."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import pytest

from tests.faults.house import House, until
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.harness.collector import manage
from tests.harness.postgres import Postgres

# Connect 3 s, or statement 5 s and a second of grace, and once more for the request that had to wait for that.
BOUND_SECONDS = 15


def event(event_id: str) -> dict[str, Any]:
    return {"event_name": "order_created", "event_id": event_id, "tag_id": "t"}


class ProxiedHouse(House):
    """A house that reaches its database through a proxy."""

    def __init__(self, directory: Path, postgres: Postgres, proxy: Proxy) -> None:
        super().__init__(directory, postgres)
        self.proxy = proxy
        parts = urlsplit(self.url)
        through = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}"))
        self.environment["DATABASE_URL"] = urlunsplit(through)


Fault = Callable[[ProxiedHouse], AbstractContextManager[None]]


@contextmanager
def black_holed(house: ProxiedHouse) -> Iterator[None]:
    house.proxy.swallow()
    yield
    house.proxy.pass_on()
    house.proxy.cut()


@contextmanager
def sigstopped(house: ProxiedHouse) -> Iterator[None]:
    processes = [psutil.Process(house.postgres.pid), *psutil.Process(house.postgres.pid).children()]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


@contextmanager
def locked(house: ProxiedHouse) -> Iterator[None]:
    with psycopg.connect(house.url) as connection:
        connection.execute("LOCK TABLE collect_event IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def forbidden(house: ProxiedHouse, forbid: str, allow: str) -> Iterator[None]:
    """A setting of the database or the role, which new connections meet; the old ones are ended."""
    with psycopg.connect(house.postgres.url(), autocommit=True) as connection:
        for statement in (forbid, allow):
            connection.execute(statement)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [house.role]
            )
            if statement == forbid:
                yield


def read_only(house: ProxiedHouse) -> AbstractContextManager[None]:
    alter = f"ALTER DATABASE {house.role}"
    return forbidden(
        house, f"{alter} SET default_transaction_read_only = on", f"{alter} RESET default_transaction_read_only"
    )


def out_of_connections(house: ProxiedHouse) -> AbstractContextManager[None]:
    alter = f"ALTER ROLE {house.role} CONNECTION LIMIT"
    return forbidden(house, f"{alter} 0", f"{alter} -1")


@pytest.fixture
def house(tmp_path: Path, postgres: Postgres) -> Iterator[ProxiedHouse]:
    with Proxy(postgres.port) as proxy, ProxiedHouse(tmp_path, postgres, proxy) as house:
        yield house


@pytest.fixture
def load(house: ProxiedHouse, tmp_path: Path) -> Iterator[Load]:
    """A load to which an answer that comes late is none."""
    with Load(house.port, house.key, tmp_path / "acknowledged", patience=BOUND_SECONDS) as running:
        yield running


@pytest.mark.parametrize("fault", [black_holed, sigstopped, locked, read_only, out_of_connections])
def test_database_that_does_not_answer_is_bounded_spooled_and_drained(
    house: ProxiedHouse, load: Load, fault: Fault
) -> None:
    load.wait_for(100)
    with fault(house):
        load.wait_for(300)
        assert house.get("/livez", patience=5) == (200, {"status": "ok"})
        assert house.get("/readyz") is not None
    load.stop()
    house.wait_until_drained(90)
    assert load.answers["204 spooled"] > 0
    assert set(load.answers) <= {"204 stored", "204 spooled", "204 duplicate"}, load.answers
    house.assert_whole(load.acknowledged)


def test_connection_cut_after_commit_was_sent_leaves_one_row(house: ProxiedHouse) -> None:
    assert house.post(event("before"))[0] == 204
    house.proxy.lose_answer_to = b"lost-answer"
    status, headers, _ = house.post(event("lost-answer"))
    assert house.proxy.lost == 1
    assert (status, headers["X-Event-Outcome"]) in [(204, "stored"), (204, "spooled")]
    house.wait_until_drained()
    assert house.rows("SELECT count(*) FROM collect_event WHERE event_id = 'lost-answer'") == [(1,)]
    ((stored,),) = house.rows("SELECT id FROM collect_event WHERE event_id = 'lost-answer'")
    assert headers["X-Event-Id"] == str(stored)


def test_keys_that_were_met_work_while_the_database_is_away_and_others_get_503(house: ProxiedHouse) -> None:
    other = manage(house.url, "issue_key", "--partner", "acme", "--label", "never used").strip()
    for number in range(40):  # until both workers have met it
        assert house.post(event(str(number)))[0] == 204
    house.postgres.stop("immediate")
    try:
        until(lambda: house.post(event("away"))[1].get("X-Event-Outcome") == "spooled", 30, "it spools")
        for number in range(40):
            assert house.post(event(f"known-{number}"))[0] == 204
        status, headers, body = house.post(event("unknown"), key=other)
        assert status == 503, body
        assert int(headers["Retry-After"]) > 0
        assert house.post(event("nonsense"), key="thrad_live_nonsense")[0] == 401
    finally:
        house.postgres.start()
    house.wait_until_drained()
    until(lambda: house.post(event("unknown"), key=other)[0] == 204, 30, "both workers have found the database again")
    house.assert_whole({"away", *(f"known-{number}" for number in range(40))})


def test_key_revoked_under_load_is_refused_by_every_worker_within_five_seconds(
    house: ProxiedHouse, tmp_path: Path
) -> None:
    with Load(house.port, house.key, tmp_path / "acknowledged", threads=16) as load:
        load.wait_for(500)
        manage(house.url, "revoke_key", house.key.rpartition("_")[0])
        start = time.monotonic()
        time.sleep(5)
        before = load.count()
        refused = load.answers["401"]
        time.sleep(1)
        assert load.count() == before, f"still accepted {time.monotonic() - start:.1f} s after the revocation"
        assert load.answers["401"] > refused
    house.assert_whole(load.acknowledged)


def test_key_rotated_under_load_is_refused_nowhere_during_its_grace(house: ProxiedHouse, tmp_path: Path) -> None:
    with Load(house.port, house.key, tmp_path / "old", threads=8, rate=400) as old:
        old.wait_for(200)
        new_key = manage(house.url, "rotate_key", house.key, "--grace", "30m").strip()
        with Load(house.port, new_key, tmp_path / "new", threads=8, rate=400) as new:
            new.wait_for(400)
            old.wait_for(2_400)  # some six seconds, in which each worker reads its keys three times
    assert {answer.split()[0] for answer in old.answers} == {"204"}
    assert {answer.split()[0] for answer in new.answers} == {"204"}
    house.assert_whole(old.acknowledged | new.acknowledged)
