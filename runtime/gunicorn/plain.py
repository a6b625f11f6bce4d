"""Heads of requests that can be read in one way only: a worker serves those without gunicorn's reader (decision 18).

llhttp reads them, in its strict mode. What it accepts is narrowed to a part of what gunicorn accepts, and means the
same to both. It must never guess: whatever is unusual is not plain, and gunicorn has the rules for it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from runtime.gunicorn.bodies import LEFT_BYTES
from runtime.gunicorn.request import HOST

# Far below gunicorn's own bounds (`limit_request_*`): what is above those is refused there, and nowhere else.
MAX_HEAD = 4096
MAX_FIELDS = 50
# A longer body takes so much time that the reading of its head is nothing. So much is read out if nobody wants it.
MAX_BODY = LEFT_BYTES

# Gunicorn leaves out the names that WSGI could confuse with others.
_NAME = re.compile(rb"[A-Za-z0-9-]+")
# Fields that change how a request is read.
_UNUSUAL = {"TRANSFER-ENCODING", "EXPECT", "UPGRADE"}
# How WSGI calls a field; so many spellings are remembered in a process, of names up to so many bytes.
_CAPACITY, _REMEMBERED = 1_000, 64
_names: dict[bytes, str] = {}


class Plain(NamedTuple):
    """A plain request: its WSGI environment without the body, where that begins in what was read, and where it ends."""

    environ: dict[str, Any]
    start: int
    end: int


class Reader:
    """Reads the heads of POST requests for the given paths, which are spelled as they are sent."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = {f"POST {path} HTTP/1.1".encode(): path for path in paths}

    def read(self, data: bytes, base: Mapping[str, Any]) -> Plain | None:
        """Return the request that `data` begins with, or None if it is not plain or its head is not all there.

        `base` is what is known of every request on its connection (`environ_of`).
        """
        path = self._paths.get(data[: data.find(b"\r\n")])
        start = data.find(b"\r\n\r\n", 0, MAX_HEAD) + 4
        if path is None or start < 4:
            return None
        environ = {**base, "PATH_INFO": path, "RAW_URI": path}
        try:
            HttpRequestParser(_Fields(environ)).feed_data(data[:start])
        except (HttpParserError, HttpParserUpgrade):
            return None
        length = environ.get("CONTENT_LENGTH")
        if length is None or len(environ) > len(base) + 2 + MAX_FIELDS or not _are_plain(environ):
            return None
        return Plain(environ, start, start + int(length)) if _is_short(length) else None


class _Fields:
    """Puts each field that the parser has read into the WSGI environment, and stops it at one that is not plain."""

    __slots__ = ("_environ",)

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field. Raises ValueError, which the parser makes its own error of, for one that is not plain."""
        known = _names.get(name) or _name_of(name)
        if known in self._environ:
            raise ValueError(name)
        self._environ[known] = value.decode("latin-1").rstrip(" \t")


def _name_of(name: bytes) -> str:
    """Return WSGI's name of a field. Raises ValueError for one that is not plain."""
    upper = name.decode("latin-1").upper()
    if _NAME.fullmatch(name) is None or upper in _UNUSUAL:
        raise ValueError(name)
    known = upper.replace("-", "_")
    if known not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        known = f"HTTP_{known}"
    if len(_names) >= _CAPACITY:
        # Strangers make up names, too.
        _names.clear()
    if len(name) <= _REMEMBERED:
        _names[name] = known
    return known


def _are_plain(environ: Mapping[str, Any]) -> bool:
    """Tell whether the fields together are: there is a host, and the connection is to go on."""
    host, connection = environ.get("HTTP_HOST"), environ.get("HTTP_CONNECTION")
    if host is None or HOST.fullmatch(host) is None:
        return False
    return connection is None or connection.lower() == "keep-alive"


def _is_short(length: str) -> bool:
    return len(length) <= len(str(MAX_BODY)) and int(length) <= MAX_BODY
