"""Starts and ends the contestants, each on a free loopback port, and knows what each is called with."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO

from tests.harness.postgres import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
WORKERS = "2"


@dataclass(frozen=True)
class Contestant:
    """A server: its command, in which PORT stands for the port, its settings, and the events of a request."""

    name: str
    command: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    events_per_request: int = 1
    connections: int = 64
    prefix: str = ""
    root: Path = ROOT

    @property
    def stores(self) -> bool:
        return not self.name.startswith("noop")


_GUNICORN = (sys.executable, "-m", "gunicorn")
_UVICORN = (sys.executable, "-m", "uvicorn", "bench.peers.fastapi_app:app", "--host", "127.0.0.1", "--port", "PORT")
CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant("collect", _GUNICORN),
        Contestant(
            "fastapi",
            (*_UVICORN, "--workers", WORKERS, "--loop", "uvloop", "--http", "httptools", "--no-access-log"),
        ),
        # Its command is known once it is compiled (`compiled`).
        Contestant("go", ()),
        Contestant(
            "textbook",
            (*_GUNICORN, "-c", "/dev/null", "-b", "127.0.0.1:PORT", "-w", WORKERS, "-k", "gthread", "--threads", "8",
             "--keep-alive", "75", "--no-control-socket", "thrad_events.wsgi:application"),
            {"DJANGO_SETTINGS_MODULE": "bench.peers.textbook_settings"},
        ),
        Contestant("noop", _GUNICORN, {"DJANGO_SETTINGS_MODULE": "bench.peers.noop_settings"}),
        Contestant("noop_short", _GUNICORN, {"DJANGO_SETTINGS_MODULE": "bench.peers.noop_settings"}, prefix="/short"),
        Contestant("batch", _GUNICORN, events_per_request=500, connections=8),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Running:
    """A contestant that answers: its address and the process ids of its workers."""

    contestant: Contestant
    host: str
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def cpu_seconds(self) -> float:
        """Return the processor time of the server and its workers, by themselves and in the kernel."""
        return cpu_seconds(self.process.pid)

    def rss_mib(self) -> float:
        """The resident memory of the largest worker, in MiB."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.workers()]
        return max(pages) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, those that have ended included."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = sum(sum(_fields(int(child))[11:13]) for child in children)
    return (ticks + sum(_fields(pid)[11:15])) / os.sysconf("SC_CLK_TCK")


def _fields(pid: int) -> list[int]:
    """Return the numbers of a process; none of one that has ended meanwhile, whose time its parent has."""
    with suppress(FileNotFoundError, ProcessLookupError):
        # Behind the name, which may have anything in it, and the letter of the state.
        return [0, *map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1:])]
    return []


@contextmanager
def serve(contestant: Contestant, environment: dict[str, str]) -> Iterator[Running]:
    """The contestant, up and answering. Raises RuntimeError with its log where it does not come up."""
    port = free_port()
    settings = os.environ | environment | {"HOST": "127.0.0.1", "PORT": str(port), "WEB_CONCURRENCY": WORKERS}
    command = [part.replace("PORT", str(port)) for part in contestant.command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=contestant.root, env=settings | contestant.settings, stdout=log, stderr=log
        )
        try:
            _wait(process, port, log)
            yield Running(contestant, "127.0.0.1", port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.1)
        else:
            time.sleep(0.5)  # the other workers
            return
        finally:
            connection.close()
    log.seek(0)
    raise RuntimeError(f"it did not come up:\n{log.read().decode()[-4000:]}")
