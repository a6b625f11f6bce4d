"""Serves a connection: plain requests by a short loop, and every other one by gunicorn's own code (decision 18).

Gunicorn's reading of a head and writing of an answer took more of a worker's time than the whole application. `plain`
decides which requests are plain. Both ways call the same application and share the rules for bodies.
"""

import errno
import os
import time
from functools import lru_cache
from io import BytesIO
from typing import Any

import gevent
from gunicorn import SERVER, util
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.http.wsgi import base_environ

from runtime.gunicorn.bodies import BoundedSocket, linger, read_out, sending_within
from runtime.gunicorn.plain import MAX_FIELDS, MAX_HEAD, Plain, Reader

# What is read at once. Most requests are smaller.
RECEIVE_BYTES = 16 * 1024
# The client has gone, which is nobody's fault.
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
# An operator may ask gunicorn, by these settings, for work on every request that the loop here does not do. Nobody has
# asked for it where the setting has gunicorn's default, or the value here, which gunicorn.conf.py sets.
_BY_DEFAULT = (
    "statsd_host", "max_requests", "certfile", "keyfile", "proxy_protocol", "http2_cleartext", "protocol",
    "pre_request", "post_request",
)  # fmt: skip
_NOT_ASKED: dict[str, Any] = {"http_protocols": ["h1"], "secure_scheme_headers": {}}
# Bounds of gunicorn's (0 means none). A lower one than here would refuse requests that are plain.
_BOUNDS = {"limit_request_line": 256, "limit_request_fields": MAX_FIELDS, "limit_request_field_size": MAX_HEAD}


def reader_of(application: Any, cfg: Any, log: Any) -> Reader | None:
    """Return what reads the plain requests for the application, or None if all requests are to be gunicorn's.

    An application names the paths in `plain_paths`. It must answer those with a list of bytes, by `start_response`, and
    with a Content-Length unless the status has no content; its `close` and `write` are not used.
    """
    paths = getattr(application, "plain_paths", ())
    return Reader(paths) if paths and not _is_asked(cfg, log) else None


def _is_asked(cfg: Any, log: Any) -> bool:
    """Tell whether something is asked of gunicorn that it has to do for every request."""
    return (
        log.access_log_enabled
        or "SCRIPT_NAME" in os.environ
        or not cfg.keepalive
        or any(cfg.settings[name].get() != cfg.settings[name].default for name in _BY_DEFAULT)
        or any(cfg.settings[name].get() != value for name, value in _NOT_ASKED.items())
        or any(0 < cfg.settings[name].get() < least for name, least in _BOUNDS.items())
    )


class Readable:
    """Waits until a socket can be read, again and again.

    Gevent's own wait starts and stops its watcher each time, which is a call of the kernel. This one stops only when
    something can be read and nobody waits.
    """

    # libev's name for "something can be read".
    _READ = 1

    def __init__(self, file: int) -> None:
        self._hub = gevent.get_hub()
        self._watcher = self._hub.loop.io(file, self._READ)
        self._waiting: Any = None

    def wait(self) -> None:
        """Let others have their turn until something can be read, or the other side has closed."""
        self._waiting = gevent.getcurrent()
        try:
            if not self._watcher.active:
                self._watcher.start(self._wake)
            self._hub.switch()
        finally:
            self._waiting = None

    def close(self) -> None:
        """Stop, before the socket is closed."""
        self._watcher.close()

    def _wake(self) -> None:
        if self._waiting is None:
            self._watcher.stop()
        else:
            self._waiting.switch()


class Connection:
    """One client's connection, from its first request to its end."""

    def __init__(
        self, worker: Any, reader: Reader, server: tuple[Any, ...], client: Any, addr: tuple[Any, ...]
    ) -> None:
        self._worker, self._reader = worker, reader
        self._server, self._client, self._addr = server, client, addr
        self._base = environ_of(worker.cfg, server, client, addr)
        self._readable = Readable(client.fileno())
        self._waiting = worker.timeout_ctx()
        # The request that gunicorn serves, if it serves one.
        self._req: Any = None
        self._status, self._headers = "", list[tuple[str, str]]()

    def serve(self) -> None:
        """Serve requests until the connection ends, and close it."""
        worker, client = self._worker, self._client
        try:
            # Without a time limit, whatever the process's default is: each wait has a limit of its own.
            client.settimeout(None)
            self._serve_all()
        except (StopIteration, NoMoreData) as error:
            worker.log.debug("closing a connection: %s", error)
        except OSError as error:
            if error.errno in _GONE or isinstance(error, TimeoutError):
                worker.log.debug("a client has gone: %s", error)
            else:
                worker.log.exception("a socket failed")
        except Exception as error:  # the boundary, as in gunicorn's own loop
            worker.handle_error(self._req, client, self._addr, error)
        finally:
            self._readable.close()
            util.close(client)

    def _serve_all(self) -> None:
        """Serve requests. Raises what gunicorn raises at the end of a connection, or where a request is unreadable."""
        parser = RequestParser(self._worker.cfg, self._client, self._addr)
        data = self._serve_plain(b"")
        while data is not None:
            parser.unreader.unread(data)
            with self._waiting:
                req = self._req = next(parser)
            self._worker.handle_request(self._server, req, self._client, self._addr)
            if req.should_close():
                return
            self._req = None
            data = self._serve_plain(parser.unreader.take_buffered())

    def _serve_plain(self, data: bytes) -> bytes | None:
        """Serve plain requests, of which the first may be in `data`.

        Return what was read of the first one that is not plain, or None if the connection has ended.
        """
        while data or (data := self._next()):
            plain = self._reader.read(data, self._base)
            if plain is None:
                return data
            self._waiting.end()
            answer = self._answer_whole if len(data) >= plain.end else self._answer_partly
            behind = answer(plain, data)
            if behind is None:
                return None
            data = behind
            if data:
                # Without a wait for the next request nobody else would have a turn.
                gevent.sleep(0)
        return None

    def _next(self) -> bytes:
        """Wait for the next request, during which the connection counts as idle; return what has come of it."""
        self._waiting.begin()
        # Waited for before anything is read: behind an answer there is hardly ever a request yet.
        self._readable.wait()
        data: bytes = self._client.recv(RECEIVE_BYTES)
        return data

    def _answer_whole(self, plain: Plain, data: bytes) -> bytes | None:
        """Answer a request that is all there. Return what is behind it, or None if the connection ends."""
        content = self._content(plain.environ, BytesIO(data[plain.start : plain.end]))
        goes_on: bool = self._worker.alive
        self._send(content, goes_on=goes_on)
        return data[plain.end :] if goes_on else None

    def _answer_partly(self, plain: Plain, data: bytes) -> bytes | None:
        """Answer a request whose body is still coming, and is read as that of gunicorn's requests is.

        Return what came behind the body, or None if the connection ends.
        """
        bounded = BoundedSocket(self._client, self._worker.body_seconds)
        unreader = SocketUnreader(bounded)
        unreader.unread(data[plain.start :])
        body = Body(LengthReader(unreader, plain.end - plain.start))
        content = self._content(plain.environ, body)
        is_read = read_out(body, bounded)
        goes_on = is_read and self._worker.alive
        self._send(content, goes_on=goes_on)
        if not is_read:
            linger(self._client)
        return unreader.take_buffered() if goes_on else None

    def _content(self, environ: dict[str, Any], body: Any) -> bytes:
        self._status, self._headers = "", []
        environ["wsgi.input"] = body
        return b"".join(self._worker.wsgi(environ, self._start))

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Take the head of an answer: WSGI's `start_response`."""
        self._status, self._headers = status, headers

    def _send(self, content: bytes, *, goes_on: bool) -> None:
        """Send the answer in one piece.

        Raises ValueError for a header that would be two, and TimeoutError for a client that does not read it.
        """
        fields = "".join([f"{name}: {value}\r\n" for name, value in self._headers])
        if not fields.count("\n") == fields.count("\r") == len(self._headers) or "\0" in fields:
            raise ValueError("a header has a line break in it")
        start = _start_of(self._status, "keep-alive" if goes_on else "close", int(time.time()))
        answer = f"{start}{fields}\r\n".encode("latin-1") + content
        sent = self._client.send(answer)
        if sent < len(answer):
            with sending_within(self._client, self._worker.body_seconds):
                self._client.sendall(answer[sent:])


def environ_of(cfg: Any, server: tuple[Any, ...], client: Any, addr: tuple[Any, ...]) -> dict[str, Any]:
    """Return what the WSGI environments of all plain requests on a connection have in common, as gunicorn says it."""
    return {
        **base_environ(cfg),
        "wsgi.multithread": True,
        "wsgi.url_scheme": "http",
        "gunicorn.socket": client,
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": addr[0],
        "REMOTE_PORT": str(addr[1]),
    }


@lru_cache(maxsize=16)
def _start_of(status: str, connection: str, second: int) -> str:
    return f"HTTP/1.1 {status}\r\nServer: {SERVER}\r\nDate: {util.http_date(second)}\r\nConnection: {connection}\r\n"
