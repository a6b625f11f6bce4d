"""The databases that tests use, by URL: for the processes that they start, and empty ones."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import DatabaseError, Error, connection
from psycopg import sql


def is_sqlite() -> bool:
    """Whether the tests run on SQLite; else it is PostgreSQL."""
    return os.environ["DATABASE_URL"].startswith("sqlite:")


def _sibling(name: str) -> str:
    """The URL of another database of the server that the tests use."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def describe() -> str:
    """The database in words, without a password."""
    if is_sqlite():
        return "SQLite, in files"
    place = urlsplit(os.environ["DATABASE_URL"])
    origin = "of TEST_DATABASE_URL" if os.environ["DATABASE_URL"] == os.environ.get("TEST_DATABASE_URL") else "own"
    with psycopg.connect(_sibling("postgres"), connect_timeout=5) as server:
        version = server.info.parameter_status("server_version")
    return f"PostgreSQL {version} ({origin}), {place.hostname}:{place.port}"


def current_url() -> str:
    """The database that Django made for the running test; another process sees what is committed there."""
    name = str(connection.settings_dict["NAME"])
    return f"sqlite:///{name}" if is_sqlite() else _sibling(name)


@contextmanager
def new(directory: Path, options: LiteralString = "", template: str = "") -> Iterator[str]:
    """An empty database: a file in `directory`, or one on the server, made with `options` and dropped in the end.

    With `template` it is a copy of the database of that URL, which nobody may be connected to meanwhile.
    """
    name = f"test_{secrets.token_hex(6)}"
    if is_sqlite():
        path = directory / f"{name}.sqlite3"
        if template:
            shutil.copy(template.removeprefix("sqlite:///"), path)
        yield f"sqlite:///{path}"
        return
    copied = sql.SQL(" TEMPLATE {}").format(sql.Identifier(urlsplit(template).path[1:])) if template else sql.SQL("")
    with psycopg.connect(_sibling("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} " + options).format(sql.Identifier(name)) + copied)
        try:
            yield _sibling(name)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def failure(cause: str | Exception | None = None, kind: type[Error] = DatabaseError, text: str = "it failed") -> Error:
    """A failure as Django hands it on, caused by an SQLSTATE or by an exception of the driver."""
    error = kind(text)
    error.__cause__ = psycopg.errors.lookup(cause)() if isinstance(cause, str) else cause
    return error
