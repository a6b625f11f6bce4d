"""gunicorn.conf.py, by a real server: slow and idle clients cost nobody else anything, and no header is believed."""

import json
import select
import shutil
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.harness import factories
from tests.harness.server import ROOT, Server, serve
from tests.harness.waiting import eventually

# Of the server and its sockets, whatever the database is.
pytestmark = pytest.mark.once

SLOW = 50
GUNICORN_S_ERROR = '"level": "ERROR", "logger": "gunicorn.error"'


def connect(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=10)


def read_to(sock: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        data = sock.recv(65536)
        assert data, f"closed after {received!r}"
        received += data
    return received


@pytest.mark.alone
def test_slow_clients_do_not_keep_others_waiting(server: Server) -> None:
    _, raw_key = factories.key()
    head = b"POST /api/collect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    # Half a head, and half a body: without a key, which is answered before the body is looked at, and with one.
    starts = (b"POST /api/collect HTT", head + b"\r\n{", head + f"Authorization: Bearer {raw_key}\r\n\r\n{{".encode())
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(SLOW)]
        for count, sock in enumerate(slow):
            sock.sendall(starts[count % 3])
        assert server.request("GET", "/livez").status == 200
        done, _, _ = select.select([*slow[::3], *slow[2::3]], [], [], 0)
        assert not done, "it was answered only when some of the slow ones were answered or cut"


@pytest.mark.alone
@pytest.mark.once
@pytest.mark.parametrize("start", [b"", b"POST /api/collect HTT"])
def test_silent_connection_ends_after_the_keep_alive(new_database: str, start: bytes) -> None:
    with serve(new_database, GUNICORN_CMD_ARGS="--keep-alive 1") as server, connect(server) as silent:
        silent.sendall(start)
        assert silent.recv(65536) == b""
        assert GUNICORN_S_ERROR not in server.log


@pytest.mark.alone
def test_stop_does_not_wait_for_idle_connections(server: Server) -> None:
    with connect(server) as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_to(idle, b'{"status": "ok"}').startswith(b"HTTP/1.1 200")
        time.sleep(1.1)  # idle for longer than the second that a request on its way is given
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        assert idle.recv(65536) == b""
    assert GUNICORN_S_ERROR not in server.log
    assert "Traceback" not in server.log


@pytest.mark.alone
def test_stop_answers_the_request_in_flight(server: Server) -> None:
    _, raw_key = factories.key()
    with connect(server) as slow:
        head = f"POST /api/collect HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {raw_key}\r\n"
        slow.sendall(
            f"{head}Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        # The "continue" says that the request is a worker's, and no longer only the kernel's.
        assert read_to(slow, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        slow.sendall(b"{")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        slow.sendall(b"}")
        answer = read_to(slow, b"}")
        assert answer.startswith(b"HTTP/1.1 400")
        # It came before the server was told to stop; whoever sends the next one on this connection would lose it.
        assert b"\r\nConnection: close\r\n" in answer
        assert server.process.wait(10) == 0


def test_interrupt_ends_the_server_without_a_traceback(server: Server) -> None:
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(10) == 0
    assert "Traceback" not in server.log


@pytest.mark.once
@pytest.mark.parametrize("header", ["Script-Name: /x", "Script_Name: /x", "Path_Info: /livez"])
def test_headers_of_a_client_do_not_change_the_path(server: Server, header: str) -> None:
    name, value = header.split(": ")
    assert server.request("GET", "/nowhere", headers={name: value}).status == 404


@pytest.mark.once
def test_reload_reads_the_settings_again(new_database: str, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("METRICS_ALLOW=127.0.0.1\nTEST_EVENTS_DAYS=3\n")
    with serve(new_database, ENV_FILE=str(env_file)) as server:
        assert server.request("GET", "/metrics").status == 200
        env_file.write_text("METRICS_ALLOW=192.0.2.1\n")
        server.process.send_signal(signal.SIGHUP)
        # Requests go to the workers of before until the new ones have started.
        assert eventually(lambda: server.request("GET", "/metrics").status == 403, seconds=30)
        env_file.unlink()  # as in the middle of a deployment: the settings of before stay
        reloads = server.log.count("Booting worker")
        server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: server.log.count("Booting worker") >= reloads + 2, seconds=30)
        assert eventually(lambda: server.log.count("Worker exiting") >= 4, seconds=30)
        assert server.request("GET", "/metrics").status == 403
        env_file.write_text("")
        server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: server.request("GET", "/metrics").status == 200, seconds=30)


PROGRAM = (
    "manage.py",
    "gunicorn.conf.py",
    "runtime",
    "keys",
    "collect",
    "reporting",
    "console",
    "thrad_events",
    "templates",
)


def copy_of_the_program(place: Path) -> None:
    for name in PROGRAM:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / name)


@pytest.mark.once
def test_reload_loads_new_code_of_every_package(new_database: str, tmp_path: Path) -> None:
    """Also of those that the master has imported itself, which its workers would inherit."""
    copy_of_the_program(tmp_path)
    with serve(new_database, ("env", "-C", str(tmp_path))) as server:

        def told() -> str:
            return str(json.loads(server.request("POST", "/api/collect", b"{}").read())["detail"])

        assert told() == "Missing bearer token"
        refusals, answers = tmp_path / "runtime" / "refusals.py", tmp_path / "runtime" / "answers.py"
        refusals.write_text(refusals.read_text().replace("Missing bearer token", "New words") + "\nNEW = 1\n")
        answers.write_text(f"from runtime.refusals import NEW\n{answers.read_text()}")
        server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: told() == "New words", seconds=30)
        assert server.process.poll() is None


def workers(server: Server) -> set[int]:
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def refused_reload(server: Server) -> str:
    """Reload, and return what was logged until the server said that it goes on as before, with the same workers."""
    before, length = workers(server), len(server.log)
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "the reload is refused" in server.log[length:], seconds=30)
    assert (workers(server), server.process.poll()) == (before, None)
    assert server.request("GET", "/livez").status == 200
    return server.log[length:]


@pytest.mark.once
@pytest.mark.parametrize(
    ("slip", "told"),
    [
        ("STATEMENT_SECONDS=5s", "STATEMENT_SECONDS is '5s', which cannot be read"),
        ("TRUSTED_PROXIES=*", "TRUSTED_PROXIES"),
        ("WEB_CONCURRENCY=two", "WEB_CONCURRENCY is 'two', which cannot be read"),
        ("no setting", "line 2, cannot be read"),
    ],
)
def test_reload_with_a_slip_in_a_setting_leaves_the_server_as_it_is(
    new_database: str, tmp_path: Path, slip: str, told: str
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("METRICS_ALLOW=127.0.0.1\n")
    with serve(new_database, ENV_FILE=str(env_file)) as server:
        env_file.write_text(f"METRICS_ALLOW=192.0.2.1\n{slip}\n")
        (said,) = [line for line in refused_reload(server).splitlines() if told in line]
        assert '"CRITICAL"' in said
        assert "Traceback" not in said
        assert server.request("GET", "/metrics").status == 200
        env_file.write_text("METRICS_ALLOW=192.0.2.1\n")
        server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: server.request("GET", "/metrics").status == 403, seconds=30)


@pytest.mark.once
@pytest.mark.parametrize("name", ["gunicorn.conf.py", "keys/crypto.py", "collect/views.py", "thrad_events/settings.py"])
def test_reload_of_code_that_cannot_be_loaded_leaves_the_server_as_it_is(
    new_database: str, tmp_path: Path, name: str
) -> None:
    copy_of_the_program(tmp_path)
    with serve(new_database, ("env", "-C", str(tmp_path))) as server:
        path = tmp_path / name
        whole = path.read_text()
        path.write_text(f"{whole}\nimport nowhere\n")
        assert "No module named 'nowhere'" in refused_reload(server)
        before = workers(server)
        path.write_text(whole)
        server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: not before & workers(server), seconds=30)
        assert server.request("GET", "/livez").status == 200
