"""A server as an operator has it: its own database, keys issued by command, rows read past the application."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from tests.harness.server import ROOT, Server


@dataclass(frozen=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Keyed(NamedTuple):
    """The URL of a migrated database, and a live key of partner `acme`."""

    url: str
    raw_key: str


@dataclass(frozen=True)
class Collector:
    """A running server and its database."""

    server: Server
    database_url: str
    raw_key: str

    def post(self, body: Any, path: str = "/api/collect", **headers: str | None) -> Answer:
        """A POST with the key, as JSON unless it is bytes; a header that is None is left out."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, data, **headers)

    def request(self, method: str, path: str, data: bytes | None = None, **headers: str | None) -> Answer:
        """Any request; underscores in names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {self.raw_key}", "Content-Type": "application/json", **named}
        response = self.server.request(method, path, data, {n: v for n, v in sent.items() if v is not None})
        return Answer(response.status, dict(response.headers), response.read())

    def raw(self, data: bytes, *, shut: bool = True) -> bytes:
        """What comes back for these very bytes on a socket, until the server closes it."""
        with socket.create_connection((self.server.host, self.server.port), timeout=10) as sock:
            sock.sendall(data)
            if shut:
                sock.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := sock.recv(65_536):
                answer += chunk
            return answer

    def head(self, **headers: str | int) -> bytes:
        """The head of a raw POST to the collect endpoint."""
        named = {"Host": "localhost", "Authorization": f"Bearer {self.raw_key}", "Content-Type": "application/json"}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in {**named, **headers}.items()]
        return "\r\n".join(["POST /api/collect HTTP/1.1", *lines, "", ""]).encode()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, read past Django."""
        if self.database_url.startswith("sqlite:///"):
            with sqlite3.connect(self.database_url.removeprefix("sqlite:///")) as connection:
                rows = connection.execute(sql).fetchall()
            connection.close()
            return rows
        with psycopg.connect(self.database_url) as database:
            return database.execute(sql).fetchall()

    def row(self, event_id: str, columns: str) -> tuple[Any, ...]:
        """These columns of the one row with this `event_id`."""
        (found,) = self.rows(f"SELECT {columns} FROM collect_event WHERE event_id = '{event_id}'")
        return found

    def count(self, table: str = "collect_event") -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # a table of ours

    def manage(self, *arguments: str) -> str:
        return manage(self.database_url, *arguments)


def manage(database_url: str, *arguments: str) -> str:
    """The standard output of a command of `manage.py`. Raises CalledProcessError with what it said."""
    environment = os.environ | {"DATABASE_URL": database_url}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
