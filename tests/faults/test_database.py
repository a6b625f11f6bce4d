"""The database there and not answering: each event is answered in bounded time, kept, and stored when it is back."""

import signal
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import pytest

from tests.faults.house import until
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.harness.collector import manage

# Connect 3 s, or statement 5 s and a second of grace, and once more for the request that had to wait for that.
BOUND_SECONDS = 15


def event(event_id):
    return {"event_name": "order_created", "event_id": event_id, "tag_id": "t"}


@contextmanager
def black_holed(house):
    house.proxy.swallow()
    yield
    house.proxy.pass_on()
    house.proxy.cut()


@contextmanager
def sigstopped(house):
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
def locked(house):
    with psycopg.connect(house.url) as connection:
        connection.execute("LOCK TABLE collect_event IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def forbidden(house, forbid, allow):
    """A setting of the database or the role, which new connections meet; the old ones are ended."""
    with psycopg.connect(house.postgres.url(), autocommit=True) as connection:
        for statement in (forbid, allow):
            connection.execute(statement)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [house.role]
            )
            if statement == forbid:
                yield


def read_only(house):
    alter = f"ALTER DATABASE {house.role}"
    return forbidden(
        house, f"{alter} SET default_transaction_read_only = on", f"{alter} RESET default_transaction_read_only"
    )


def out_of_connections(house):
    alter = f"ALTER ROLE {house.role} CONNECTION LIMIT"
    return forbidden(house, f"{alter} 0", f"{alter} -1")


@pytest.fixture
def house(make_house, postgres_of_faults):
    """A house that reaches its database through a proxy."""
    with Proxy(postgres_of_faults.port) as proxy:
        house = make_house()
        parts = urlsplit(house.url)
        house.environment["DATABASE_URL"] = urlunsplit(
            parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}"))
        )
        house.proxy = proxy
        house.process.terminate()
        house.process.wait(30)
        house.start()
        yield house


@pytest.mark.parametrize("fault", [black_holed, sigstopped, locked, read_only, out_of_connections])
def test_database_that_does_not_answer_is_bounded_spooled_and_drained(house, load, fault):
    load.wait_for(100)
    with fault(house):
        load.wait_for(300)
        start = time.monotonic()
        assert house.get("/livez")[0] == 200
        assert time.monotonic() - start < 5
        assert house.get("/readyz") is not None
    load.stop()
    house.wait_until_drained(90)
    assert load.answers["204 spooled"] > 0
    assert set(load.answers) <= {"204 stored", "204 spooled", "204 duplicate"}, load.answers
    assert load.slowest < BOUND_SECONDS
    house.assert_whole(load.acknowledged)


def test_connection_cut_after_commit_was_sent_leaves_one_row(house):
    assert house.post(event("before"))[0] == 204
    house.proxy.lose_answer_to = b"lost-answer"
    status, headers, _ = house.post(event("lost-answer"))
    assert house.proxy.lost == 1
    assert (status, headers["X-Event-Outcome"]) in [(204, "stored"), (204, "spooled")]
    house.wait_until_drained()
    assert house.rows("SELECT count(*) FROM collect_event WHERE event_id = 'lost-answer'") == [(1,)]
    ((stored,),) = house.rows("SELECT id FROM collect_event WHERE event_id = 'lost-answer'")
    assert headers["X-Event-Id"] == str(stored)


def test_keys_that_were_met_work_while_the_database_is_away_and_others_get_503(house):
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


def test_key_revoked_under_load_is_refused_by_every_worker_within_five_seconds(house, tmp_path):
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


def test_key_rotated_under_load_is_refused_nowhere_during_its_grace(house, tmp_path):
    with Load(house.port, house.key, tmp_path / "old", threads=8, rate=400) as old:
        old.wait_for(200)
        new_key = manage(house.url, "rotate_key", house.key, "--grace", "30m").strip()
        with Load(house.port, new_key, tmp_path / "new", threads=8, rate=400) as new:
            new.wait_for(400)
            old.wait_for(2_400)  # some six seconds, in which each worker reads its keys three times
    assert {answer.split()[0] for answer in old.answers} == {"204"}
    assert {answer.split()[0] for answer in new.answers} == {"204"}
    house.assert_whole(old.acknowledged | new.acknowledged)
