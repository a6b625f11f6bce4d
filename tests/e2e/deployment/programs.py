"""Programs that stand between a sender and the server, or the server and its database: started here, ended here."""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.harness.waiting import eventually

STOP_SECONDS = 10
NAME = "events.example.com"
# An address of this machine that is nobody's in TRUSTED_PROXIES.
SENDER = "127.0.0.2"


@contextmanager
def running(command: list[str], port: int, directory: Path) -> Iterator[None]:
    """A program that listens on a loopback port. Raises RuntimeError with what it wrote where it does not."""
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        raise RuntimeError(f"The samples are tested with the real program: apt-get install {command[0]}")
    log = directory / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([program, *command[1:]], cwd=directory, stdout=file, stderr=file)
    try:
        if not eventually(lambda: process.poll() is not None or _listens(port)) or process.poll() is not None:
            raise RuntimeError(f"{command[0]} did not come up:\n{log.read_text()}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself, of `events.example.com`."""

    certificate: Path
    key: Path

    @classmethod
    def new(cls, directory: Path) -> "Certificate":
        made = cls(directory / "fullchain.pem", directory / "privkey.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
        command += ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(made.key), "-out", str(made.certificate)]
        subprocess.run(command, check=True, capture_output=True)
        return made

    def together(self) -> Path:
        """Both in one file, as HAProxy reads them."""
        path = self.key.with_name("both.pem")
        path.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        return path


@dataclass(frozen=True)
class Front:
    """What senders and people reach: TLS under the name of the certificate, on a port of this machine."""

    port: int
    certificate: Path

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.port}"

    def connect(self) -> HTTPConnection:
        """A connection that is not made by name, since nobody knows that name here."""
        connection = HTTPConnection(NAME, self.port, timeout=20)
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(SENDER, 0))
        connection.sock = context.wrap_socket(plain, server_hostname=NAME)
        return connection
