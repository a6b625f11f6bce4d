"""Requests as they came over a socket, kept by two workers; and that a key is nowhere in the database."""

import gzip
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness.collector import Collector
from tests.harness.server import ROOT, serve
from tests.harness.waiting import eventually

EVENT = b'{"event_name": "captured",   "client_id": "ann"}'
# Servers read their keys every two seconds, a busy machine later.
FOLLOWS = 6.0


@pytest.fixture
def armed(collector: Collector) -> Collector:
    """The server with a key of its own that is armed for a hundred requests, which both workers know."""
    return arm(collector, 100)


def arm(collector: Collector, requests: int) -> Collector:
    raw_key = collector.manage("issue_key", "--partner", "acme", "--label", "captured").strip()
    with_key = Collector(collector.server, collector.database_url, raw_key)
    assert with_key.post(b"{}", "/api/collect/validate").status == 400
    with_key.manage("capture_requests", prefix(with_key), "--requests", str(requests))
    time.sleep(FOLLOWS)
    return with_key


def prefix(collector: Collector) -> str:
    return collector.raw_key.rpartition("_")[0]


def kept(collector: Collector, columns: str = "status, body, body_size") -> list[tuple[Any, ...]]:
    """These columns of what was kept of the key, in the order in which it came."""
    join = "FROM collect_capture c JOIN keys_apikey k ON k.id = c.api_key_id"
    sql = f"SELECT {columns} {join} WHERE k.prefix = '{prefix(collector)}' ORDER BY c.received_at"  # ours
    return collector.rows(sql)


def wait_for(collector: Collector, number: int) -> list[tuple[Any, ...]]:
    assert eventually(lambda: len(kept(collector)) >= number)
    return kept(collector)


def test_bodies_are_kept_as_they_came_on_the_wire(armed: Collector) -> None:
    packed = gzip.compress(EVENT)
    large = b'{"event_name": "' + b"x" * 3_000_000
    assert armed.post(packed, Content_Encoding="gzip").status == 204
    chunked = armed.head(Transfer_Encoding="chunked", Connection="close")
    assert armed.raw(chunked + b"8\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (EVENT[:8], len(EVENT) - 8, EVENT[8:]))
    assert armed.post(EVENT, "/api/collect/validate").status == 200
    assert armed.post(b"[%s, {}]" % EVENT, "/api/collect/batch").status == 200
    assert armed.raw(armed.head(Content_Length=len(large)) + large[:70_000], shut=False).startswith(b"HTTP/1.1 413 ")
    found = [(status, bytes(body), size) for status, body, size in wait_for(armed, 5)]
    assert found[:4] == [
        (204, packed, len(packed)),
        (204, EVENT, len(EVENT)),
        (200, EVENT, len(EVENT)),
        (200, b"[%s, {}]" % EVENT, len(EVENT) + 6),
    ]
    status, body, size = found[4]
    assert (status, size, body) == (413, len(body), large[:size])
    assert 0 < size <= 65_536


def test_body_that_breaks_off_is_kept_as_far_as_it_came(armed: Collector) -> None:
    assert armed.raw(armed.head(Content_Length=99) + EVENT).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection((armed.server.host, armed.server.port), timeout=10) as slow:
        slow.sendall(armed.head(Content_Length=len(EVENT), Connection="close"))
        for byte in EVENT:
            slow.sendall(bytes([byte]))
            time.sleep(0.01)
        assert slow.recv(100).startswith(b"HTTP/1.1 204 ")
    broken, whole = wait_for(armed, 2)
    assert (broken[0], bytes(broken[1])) == (400, EVENT)
    assert (whole[0], bytes(whole[1])) == (204, EVENT)
    ((milliseconds,),) = kept(armed, "milliseconds")[1:]
    assert milliseconds > 100


@pytest.mark.parametrize("framing", ["Content_Length", "Transfer_Encoding"])
def test_body_that_was_too_slow_is_kept_as_far_as_it_came(
    collector: Collector, framing: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    conf = tmp_path_factory.mktemp("impatient") / "gunicorn.conf.py"
    conf.write_text(f"exec(open({str(ROOT / 'gunicorn.conf.py')!r}).read())\nWorker.body_seconds = 3.0\n")
    with serve(collector.database_url, GUNICORN_CMD_ARGS=f"--config {conf}") as server:
        armed = arm(Collector(server, collector.database_url, collector.raw_key), 1)
        head = armed.head(**{framing: "99" if framing == "Content_Length" else "chunked"})
        sent = EVENT if framing == "Content_Length" else b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
        assert armed.raw(head + sent, shut=False).startswith(b"HTTP/1.1 408 ")
        ((status, body, size),) = wait_for(armed, 1)
    assert (status, bytes(body), size) == (408, EVENT, len(EVENT))


def test_two_workers_together_keep_no_more_than_were_asked_for(collector: Collector) -> None:
    armed = arm(collector, 10)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: armed.post(EVENT).status, range(200)))
    assert statuses == [204] * 200
    wait_for(armed, 10)
    time.sleep(FOLLOWS)
    assert len(kept(armed)) == 10
    assert armed.rows(f"SELECT capture_left FROM keys_apikey WHERE prefix = '{prefix(armed)}'") == [(0,)]


def test_nothing_is_kept_of_a_key_that_is_not_armed(collector: Collector) -> None:
    before = collector.count("collect_capture")
    assert collector.post(EVENT).status == 204
    time.sleep(FOLLOWS)
    assert collector.count("collect_capture") == before


def test_key_is_nowhere_in_the_database(armed: Collector) -> None:
    """Not in a header of any name, an address or an answer; the body is the sender's own to keep clean."""
    armed.post(EVENT, f"/api/collect/validate?key={armed.raw_key}", X_Key=armed.raw_key, Cookie=armed.raw_key)
    armed.post(EVENT, X_Note=f"it is {armed.raw_key}", Proxy_Authorization=f"Bearer {armed.raw_key}")
    armed.post(EVENT, X_Request_Id=armed.raw_key)
    armed.post(b"{", "/api/collect/batch")
    wait_for(armed, 4)
    secret = armed.raw_key.rpartition("_")[2]
    tables = [row[0] for row in armed.rows(TABLES["sqlite" if "sqlite" in armed.database_url else "postgresql"])]
    assert "collect_capture" in tables
    for table in tables:
        for row in armed.rows(f'SELECT * FROM "{table}"'):  # from the catalogue
            for value in row:
                text = bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
                assert secret not in text, table


TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}
