"""More than the machine can take: the surplus is told so quickly, and those who are served notice nothing."""

import resource
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests.faults.house import House, until
from tests.faults.load import Load

SERVED = 800  # connections that a worker serves
CONNECTIONS = 2_400
GROWTH_MIB = 64


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for the sockets of this test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4_096), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory_mib(house: House) -> float:
    """The resident memory of the largest worker."""
    largest: int = max(process.memory_info().rss for process in psutil.Process(house.process.pid).children())
    return largest / 1024**2


def connect(house: House, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", house.port), timeout=10))


def test_surplus_gets_503_quickly_and_the_served_keep_being_served(house: House, load: Load, many_files: None) -> None:
    load.wait_for(200)
    before = memory_mib(house)
    headers = f"Authorization: Bearer {house.key}\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
    unfinished = f"POST /api/collect HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{{".encode()
    with ExitStack() as stack:
        sockets = [connect(house, stack) for _ in range(CONNECTIONS)]
        for sock in sockets:
            sock.sendall(unfinished)
        selector = stack.enter_context(selectors.DefaultSelector())
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ, data=sock)
        shed, deadline = 0, time.monotonic() + 15
        while shed < CONNECTIONS - 2 * SERVED and time.monotonic() < deadline:
            for ready, _ in selector.select(0.1):
                selector.unregister(ready.fileobj)
                answer = ready.data.recv(4096)
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nRetry-After: " in answer
                shed += 1
        assert shed >= CONNECTIONS - 2 * SERVED
        load.wait_for(200)
        assert memory_mib(house) - before < GROWTH_MIB
    until(lambda: house.get("/livez") == (200, {"status": "ok"}), 20, "everybody is let in again")
    load.stop()
    house.assert_whole(load.acknowledged)


def test_idle_connections_make_room_for_those_who_send(house: House, many_files: None) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connect(house, stack)
        time.sleep(2)
        for number in range(20):
            assert house.post({"event_name": "x", "event_id": str(number)})[0] == 204
