"""Abuse in headers and by slow clients: forged addresses, keys where none belongs, bytes one at a time."""

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from keys import crypto
from tests.harness import mmdb
from tests.harness.collector import Answer, Collector
from tests.harness.server import serve

# What HTTP says, before any database is asked.
pytestmark = pytest.mark.once


def assert_refused(answer: Answer, code: str) -> None:
    assert (answer.status, answer.json()["code"]) == (400, code)


def assert_not_logged(collector: Collector, head: str) -> None:
    before, raw_key = len(collector.server.log), crypto.make(is_test=False)
    answer = collector.raw(head.replace("KEY", raw_key).encode("latin-1"))
    assert answer.split(b" ")[1] in (b"400", b"401", b"501")
    log = collector.server.log[before:]
    assert '"status": ' in log
    assert raw_key.rpartition("_")[2] not in log


FORWARDED = {
    "81.2.69.7": ("81.2.69.7", "GB"),
    "8.8.8.8, 81.2.69.7:4711": ("81.2.69.7", "GB"),
    "::ffff:8.8.8.8": ("8.8.8.8", "US"),
    "[2001:db8::1%eth0]:443": ("2001:db8::1", "JP"),
    "81.2.69.7, 127.0.0.1": ("81.2.69.7", "GB"),
    "garbage": (None, None),
    "81.2.69.7, unknown": (None, None),
    "81.2.69.777": (None, None),
    "": ("127.0.0.1", "DE"),
    ", 81.2.69.7, , 127.0.0.1,": ("81.2.69.7", "GB"),
    "1.1.1.1," * 900 + "81.2.69.7": ("81.2.69.7", "GB"),
}


def forwarded(collector: Collector, event_id: str, value: str, **headers: str) -> tuple[str | None, str | None]:
    answer = collector.post({"event_name": "x", "event_id": event_id}, X_Forwarded_For=value, **headers)
    assert answer.status == 204
    address, country = collector.row(event_id, "ip_address, geo_country")
    return address if address is None else str(address).partition("/")[0], country


def test_spoofed_addresses_are_ignored_unless_from_a_trusted_hop(collector: Collector, scratch: Path) -> None:
    others = {"Forwarded": "for=81.2.69.7", "X_Real_IP": "81.2.69.7", "X_Client_IP": "81.2.69.7", "Via": "1.1 x"}
    for number, value in enumerate(FORWARDED):
        assert forwarded(collector, f"spoofed-{number}", value, **others) == ("127.0.0.1", "DE")
    city = str(mmdb.write_city(scratch / "trusted.mmdb"))
    with serve(collector.database_url, TRUSTED_PROXIES="127.0.0.0/8", GEOIP_PATH=city) as server:
        behind_proxy = Collector(server, collector.database_url, collector.raw_key)
        for number, (value, seen) in enumerate(FORWARDED.items()):
            assert forwarded(behind_proxy, f"trusted-{number}", value, **others) == seen


def test_clients_that_send_a_byte_at_a_time_keep_nobody_waiting(collector: Collector) -> None:
    """Heads and bodies, on many more sockets than the server has threads; their bytes are the clock."""
    head = collector.head(Content_Length=1_000)
    sent: list[int] = []

    def drip(sockets: list[socket.socket]) -> None:
        for sock in sockets[::2]:
            sock.sendall(head)
        for byte in head[:80]:
            for number, sock in enumerate(sockets):
                sock.sendall(bytes([byte]) if number % 2 else b" ")
            sent.append(byte)
            time.sleep(0.02)

    with ExitStack() as stack:
        address = (collector.server.host, collector.server.port)
        sockets = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(200)]
        dripping = Thread(target=drip, args=(sockets,))
        dripping.start()
        longest = 0
        while dripping.is_alive():
            start = len(sent)
            status = collector.post({"event_name": "x"}).status
            longest = max(longest, len(sent) - start)
            if status != 204:
                break
        dripping.join()
    # Nobody waits until the slow ones have sent half of what they send.
    assert status == 204
    assert longest < 40


def test_nul_in_a_key_is_an_invalid_key(collector: Collector) -> None:
    before = collector.count()
    key = collector.raw_key
    head = collector.head(Content_Length=18).replace(key.encode(), key[:30].encode() + b"\0" + key[30:].encode())
    answer = collector.raw(head + b'{"event_name":"x"}')
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"\r\nWWW-Authenticate: Bearer\r\n" in answer
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (told["detail"], told["code"], sorted(told)) == (
        "Invalid API key",
        "invalid_key",
        ["code", "detail", "request_id"],
    )
    assert collector.count() == before
    assert key[30:] not in collector.server.log


@pytest.mark.parametrize("path", ["/api/collect/KEY", "/KEY", "/admin/KEY", "/api/collect;KEY", "/%74KEY"])
def test_key_in_the_path_is_not_logged(collector: Collector, path: str) -> None:
    raw_key = crypto.make(is_test=False)
    assert collector.request("POST", path.replace("KEY", raw_key.removeprefix("t" * ("%74" in path)))).status >= 400
    assert crypto.prefix_of(raw_key) in collector.server.log
    assert raw_key.rpartition("_")[2] not in collector.server.log


@pytest.mark.parametrize(
    "head",
    [
        "POST /api/collect HTTP/1.1\r\nAuthorization Bearer KEY\r\n\r\n",
        "POST /api/collect HTTP/1.1\r\nAuthorization Bearer KEY: x\r\n\r\n",
        "POST /api/collect HTTP/1.1\r\nTransfer-Encoding: KEY\r\n\r\n",
        "POST /api/collect HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nKEY\r\n\r\n",
        "POST /api/collect?key=KEY\r\n\r\n",
        "POST /api/collect?key=KEY\u00ff HTTP/1.1\r\n\r\n",
        "POST /api/collect HTTP/KEY\r\n\r\n",
        "KEY /api/collect HTTP/1.1\r\n\r\n",
    ],
)
def test_key_in_a_request_that_is_none_is_logged_nowhere(collector: Collector, head: str) -> None:
    assert_not_logged(collector, head)


@pytest.mark.parametrize(
    "head",
    [
        "POST /api/collect?key=KEY HTTP/1.1\r\nAuthorization: Basic KEY\r\nCookie: key=KEY\r\n\r\n",
        "POST /api/collect HTTP/1.1\r\nHost: KEY\r\nAuthorization: KEY\r\nReferer: KEY\r\n\r\n",
        "POST /api/collect HTTP/1.1\r\nAuthorization: Bearer KEY\r\nX-Api-Key: KEY\r\nUser-Agent: KEY\r\n\r\n",
    ],
)
def test_key_in_any_header_is_logged_nowhere(collector: Collector, head: str) -> None:
    assert_not_logged(collector, head)
