"""Real gunicorn processes for tests: started as `make run` starts them, ended by their process id."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from tests.harness.postgres import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Server:
    """A running gunicorn. `process` is the master; what it and its workers log is in the file `log_path`."""

    process: subprocess.Popen[bytes]
    host: str
    port: int
    log_path: Path

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """What was logged so far."""
        return self.log_path.read_text()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        """One request on a connection of its own; the answer is read, so `.read()` costs nothing more."""
        connection = HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Connection": "close", **(headers or {})})
            return connection.getresponse()
        finally:
            connection.close()

    def is_live(self) -> bool:
        """Whether /livez answers."""
        with suppress(OSError, HTTPException):
            return self.request("GET", "/livez").status == 200
        return False


@contextmanager
def serve(database_url: str, wrapper: tuple[str, ...] = (), **environment: str) -> Iterator[Server]:
    """Gunicorn on a free loopback port, with the settings of the tests and those in `environment`.

    `wrapper` is a command that runs it. Raises RuntimeError with what it logged where it does not come up.
    Nobody migrates the database here.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="spool-") as spool, tempfile.NamedTemporaryFile(suffix=".log") as log:
        own = {"DATABASE_URL": database_url, "HOST": "127.0.0.1", "PORT": str(port)}
        settings = {**own, "SPOOL_PATH": f"{spool}/spool.sqlite3", **environment}
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "gunicorn"], cwd=ROOT, env=os.environ | settings, stdout=log, stderr=log
        )
        server = Server(process, settings["HOST"], port, Path(log.name))
        try:
            _wait_until_live(server)
            yield server
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End gunicorn at once, and for certain; a test that is about a graceful end sends SIGTERM itself."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_live(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_live():
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"gunicorn did not come up:\n{server.log}")
        time.sleep(0.05)
