"""Gunicorn's gevent worker with limits on the time of a body, the number of connections, and the time of a stop.

A slow or idle client must cost a greenlet and nothing else. This module replaces four things of gunicorn: how it reads
its settings, how it waits for a request, how it decides whether a connection goes on, and how it writes the date.
docs/decisions/0008 gives the price of each. Plain requests are served by `connection` (docs/decisions/0018).
"""

import io
import logging
import sys
import time
import uuid
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import gevent
from django.core.exceptions import ImproperlyConfigured
from gunicorn import util
from gunicorn.arbiter import Arbiter
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker

from runtime.gunicorn import answers, connection
from runtime.gunicorn.bodies import BODY_SECONDS, BoundedSocket, end_reading, linger, read_out, sending_within
from runtime.gunicorn.connection import Connection
from runtime.gunicorn.plain import Reader
from runtime.gunicorn.request import Request

# A connection that has been idle for longer is closed when the worker is told to stop.
FAREWELL_SECONDS = 1.0
# The most connections that a worker serves; any further one is answered 503 at once. It is below `worker_connections`,
# because gunicorn does not accept connections beyond that number and leaves them waiting.
MAX_CLIENTS = 800
# How long to read on from a shed client after its answer. It is short, because many clients are shed at a time.
SHED_LINGER_SECONDS = 0.2


class Waiting:
    """The wait for a request's head, during which the connection counts as idle; a context manager around it."""

    def __init__(self, client: Any, idle_since: dict[Any, float]) -> None:
        self._client = client
        self._idle_since = idle_since

    def begin(self) -> None:
        """Begin to wait. A wait that has begun goes on: that for a head began before its first byte."""
        self._idle_since.setdefault(self._client, time.monotonic())

    def end(self) -> None:
        """End the wait: the head is there, or nobody waits any more."""
        self._idle_since.pop(self._client, None)

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *_raised: object) -> None:
        self.end()


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Limits the time of a body, sheds connections that are too many, and stops without waiting for idle ones."""

    max_clients = MAX_CLIENTS
    body_seconds = BODY_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[gevent.Greenlet, Waiting] = {}
        self._idle_since: dict[Any, float] = {}
        self._is_quitting = False
        # Reads plain requests; None where all requests are gunicorn's.
        self._reader: Reader | None = None
        # Gunicorn reads some forty settings a request, each through two Python calls. As attributes they cost nothing.
        self.cfg.__dict__.update((name, setting.get()) for name, setting in self.cfg.settings.items())

    def load_wsgi(self) -> None:
        """Load the application. If a setting cannot be used, log which, without a traceback, and end the server."""
        try:
            super().load_wsgi()
        except ImproperlyConfigured as error:
            self.log.critical("%s", error)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        self._reader = connection.reader_of(self.wsgi, self.cfg, self.log)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection; gunicorn calls this in a greenlet for each.

        At `max_clients` connections, make room by ending an idle one; if none has been idle for long, shed this one.
        """
        if len(self._clients) >= self.max_clients and not self._close_the_most_idle():
            self._shed(client)
            return
        waiting = self._clients[gevent.getcurrent()] = Waiting(client, self._idle_since)
        try:
            server = _name_of(listener)
            if self._reader is None or not (isinstance(server, tuple) and isinstance(addr, tuple)):
                super().handle(listener, client, addr)
            else:
                Connection(self, self._reader, server, client, addr).serve()
        finally:
            waiting.end()
            del self._clients[gevent.getcurrent()]

    def timeout_ctx(self) -> Waiting:
        """Return the context manager in which gunicorn waits for the head of a connection's first or next request.

        Gunicorn's own sets a timer for every request. This one sets none: `notify` ends the waits of all connections.
        """
        return self._clients[gevent.getcurrent()]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request with a limit on the time of its body.

        Gunicorn reads the body through `req.unreader`, whose socket is therefore replaced meanwhile. Raises
        StopIteration where the connection ends after the answer.
        """
        bounded = req.unreader.sock = BoundedSocket(sock, self.body_seconds, is_awaited=req._expected_100_continue)
        # Gunicorn would tell the client to go on before anybody has looked at its key.
        req._expected_100_continue = False
        req.worker = self
        try:
            with sending_within(sock, self.body_seconds):
                super().handle_request(listener_name, req, sock, addr)
            # Known since the head of the answer, unless the request was ended before that.
            req.should_close()
            if req.unreader.buf.seek(0, io.SEEK_END):
                # The next request has been read already, and without a wait for it nobody else would have a turn.
                gevent.sleep(0)
        except StopIteration:
            # A client that is still sending would get a reset, and could lose the answer.
            if not read_out(req.body, bounded):
                linger(sock)
            raise
        finally:
            req.unreader.sock = sock

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Log and answer bytes that could not be read as a request, or a request that failed before the application."""
        status = answers.status_of(exc)
        request_id = uuid.uuid4().hex
        self.log.log(
            logging.ERROR if status == 503 else logging.INFO,
            "unreadable request",
            extra={"status": status, "reason": type(exc).__name__, "request_id": request_id},
            exc_info=exc if status == 503 else None,
        )
        with suppress(OSError):
            client.sendall(answers.message(status, request_id, answers.detail_of(exc)))
            linger(client)

    def notify(self) -> None:
        """Close idle connections. This is called once a second, also while a stopping worker waits for connections."""
        super().notify()
        self._close_idle(self.cfg.keepalive if self.alive else FAREWELL_SECONDS)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop at the first signal and ignore the next: Ctrl-C sends one, and then the master sends another."""
        if not self._is_quitting:
            self._is_quitting = True
            super().handle_quit(sig, frame)

    def _close_the_most_idle(self) -> bool:
        """End the connection that has been idle longest. Return False if none was idle for `FAREWELL_SECONDS`."""
        client, since = next(iter(self._idle_since.items()), (None, 0.0))
        if client is None or time.monotonic() - since < FAREWELL_SECONDS:
            return False
        del self._idle_since[client]
        end_reading(client)
        return True

    def _shed(self, client: Any) -> None:
        """Answer 503 at once and close. A client that waited in a queue would learn too late to try elsewhere."""
        request_id = uuid.uuid4().hex
        self.log.warning("too many connections", extra={"status": 503, "request_id": request_id})
        with suppress(OSError):
            client.sendall(answers.message(503, request_id))
            linger(client, SHED_LINGER_SECONDS)
        with suppress(OSError):
            client.close()

    def _close_idle(self, seconds: float) -> None:
        """Stop reading from clients idle for `seconds`. A request that has reached this machine is still served."""
        latest = time.monotonic() - seconds
        for client in [client for client, since in self._idle_since.items() if since < latest]:
            end_reading(client)


def _name_of(listener: Any) -> Any:
    try:
        return listener.getsockname()
    except OSError:
        # It was closed in this very moment, because the worker stops. Gunicorn knows how to go on.
        return None


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return formatdate(second, usegmt=True)


def _http_date(timestamp: float | None = None) -> str:
    return _date_of(int(time.time() if timestamp is None else timestamp))


# Gunicorn formats the date anew for every answer, although it changes only once a second.
util.http_date = _http_date
# Gunicorn decides what becomes of the connection without looking at what is left of the body.
RequestParser.mesg_class = Request
