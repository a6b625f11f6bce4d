"""How gunicorn serves the application: `python -m gunicorn` in this directory reads it.

A slow or idle client must cost a greenlet and nothing else, and no header of a client is believed here.
"""

import json
import logging
import os
import shutil
import socket
import tempfile
import time
import uuid
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import environ
import gevent
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from thrad_events.logs import JsonFormatter

# What stands in `.env` is for HOST, PORT and WEB_CONCURRENCY too; the environment goes first.
environ.Env.read_env(os.environ.get("ENV_FILE", Path(__file__).resolve().parent / ".env"))

# A whole body has to be there in this time. It keeps a client that sends a byte a second, for ever, from
# holding one of the `worker_connections`; 8 MiB, the largest batch, need 2.2 Mbit/s.
BODY_SECONDS = 30.0
# A connection that has been idle for longer is closed when the worker is told to stop.
FAREWELL_SECONDS = 1.0
# Connections of a worker that are served; more are told 503 at the door. Below `worker_connections`, whose excess
# gunicorn leaves waiting outside.
MAX_CLIENTS = 800
# A client that sends more than it may is read from for so long, and so much, after its answer.
LINGER_SECONDS = 2.0
# The same for one that is shed: there are many of those at a time.
SHED_LINGER_SECONDS = 0.2
LINGER_STEP = 64 * 1024
LINGER_BYTES = 16 * 1024 * 1024
# What the application left unread of a body is passed over up to here; behind a longer one the connection ends.
LEFT_BYTES = 64 * 1024

# What is answered to bytes that are no request; whatever is not listed here is a fault of ours.
STATUS_OF: dict[type[BaseException], int] = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.UnsupportedTransferCoding: 501,
    errors.ExpectationFailed: 417,
    errors.ParseException: 400,
}
# In the words of the application; the others are a `bad_request`.
ANSWERS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    401: ("invalid_key", "Invalid API key", ("WWW-Authenticate: Bearer",)),
    503: ("unavailable", "Temporarily unavailable, try again", ("Retry-After: 2",)),
}


class BoundedSocket:
    """A client's socket whose reads must all be over by a given moment."""

    def __init__(self, sock: Any, seconds: float) -> None:
        self._sock = sock
        self._until = time.monotonic() + seconds

    def recv(self, size: int) -> bytes:
        """What has arrived. Raises TimeoutError when the time is up."""
        self._sock.settimeout(max(self._until - time.monotonic(), 0.001))
        try:
            # A client that always has more to send would otherwise never let the others have their turn.
            gevent.sleep(0)
            data: bytes = self._sock.recv(size)
            return data
        finally:
            self._sock.settimeout(None)


class Waiting:
    """The wait for a request's head on a connection, which counts as idle meanwhile."""

    def __init__(self, client: Any, idle_since: dict[Any, float]) -> None:
        self._client = client
        self._idle_since = idle_since

    def __enter__(self) -> None:
        self._idle_since[self._client] = time.monotonic()

    def __exit__(self, *_raised: object) -> None:
        self._idle_since.pop(self._client, None)


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Adds to gunicorn's a time limit for bodies, and a stop that does not wait for idle connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[gevent.Greenlet, Waiting] = {}
        self._idle_since: dict[Any, float] = {}
        self._is_quitting = False
        # Gunicorn asks for some forty settings a request, each through two Python calls; as attributes they are there.
        vars(self.cfg).update((name, setting.get()) for name, setting in self.cfg.settings.items())

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, in a greenlet of its own; shed it where there are too many that are not idle."""
        if len(self._clients) >= MAX_CLIENTS and not self._part_from_the_most_idle():
            self._shed(client)
            return
        self._clients[gevent.getcurrent()] = Waiting(client, self._idle_since)
        try:
            super().handle(listener, client, addr)
        finally:
            del self._clients[gevent.getcurrent()]

    def timeout_ctx(self) -> Waiting:
        """What gunicorn waits in until the head of a request, the first or the next, is there.

        `notify` ends it in time, for all connections at once: gunicorn's own sets a timer for every request.
        """
        return self._clients[gevent.getcurrent()]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request, whose body is read through `req.unreader`."""
        req.unreader.sock = BoundedSocket(sock, BODY_SECONDS)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            req.unreader.sock = BoundedSocket(sock, LINGER_SECONDS)
            _pass_over(req.body)
            req.unreader.sock = sock
            if req.body.failed:
                _linger(sock)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what never became a request, or broke before the application, in the API's shape of errors."""
        status = next((s for kind, s in STATUS_OF.items() if isinstance(exc, kind)), 503)
        if isinstance(exc, errors.InvalidHeader) and exc.hdr == "AUTHORIZATION":
            status = 401  # a key with a character in it that no header can have is no key (contract, section 2)
        request_id = uuid.uuid4().hex
        self.log.log(
            logging.ERROR if status == 503 else logging.INFO,
            "unreadable request",
            extra={"status": status, "reason": type(exc).__name__, "request_id": request_id},
            exc_info=exc if status == 503 else None,
        )
        with suppress(OSError):
            client.sendall(_error(status, request_id))
            _linger(client)

    def notify(self) -> None:
        """Called once a second, also while a worker that was told to stop waits for its connections."""
        super().notify()
        self._part_from_idle(self.cfg.keepalive if self.alive else FAREWELL_SECONDS)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop at once, on the first of two signals: Ctrl-C sends one, and the master another."""
        if not self._is_quitting:
            self._is_quitting = True
            super().handle_quit(sig, frame)

    def _part_from_the_most_idle(self) -> bool:
        """Make room by ending the connection that has waited longest for a request; False where none has for long."""
        client, since = next(iter(self._idle_since.items()), (None, 0.0))
        if client is None or time.monotonic() - since < FAREWELL_SECONDS:
            return False
        del self._idle_since[client]
        with suppress(OSError):
            client.shutdown(socket.SHUT_RD)
        return True

    def _shed(self, client: Any) -> None:
        """Answer 503 at once: whoever waited in a queue before the door would learn it too late to try elsewhere."""
        request_id = uuid.uuid4().hex
        self.log.warning("too many connections", extra={"status": 503, "request_id": request_id})
        with suppress(OSError):
            client.sendall(_error(503, request_id))
            _linger(client, SHED_LINGER_SECONDS)
        with suppress(OSError):
            client.close()

    def _part_from_idle(self, seconds: float) -> None:
        """No more reading from those silent for so long: a request that has reached this machine is still served."""
        latest = time.monotonic() - seconds
        for client in [client for client, since in self._idle_since.items() if since < latest]:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RD)


def _error(status: int, request_id: str) -> bytes:
    code, detail, headers = ANSWERS.get(status, ("bad_request", HTTPStatus(status).phrase, ()))
    body = json.dumps({"detail": detail, "code": code, "request_id": request_id})
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request_id}",
        *headers,
    ]
    return "\r\n".join([*head, "", body]).encode()


def _pass_over(body: Any) -> None:
    """Read what the application left: gunicorn would read all of it, in small steps, however much a client sends."""
    if body.failed:
        return
    try:
        body.failed = len(body.read(LEFT_BYTES + 1)) > LEFT_BYTES
    except (OSError, errors.ParseException):
        body.failed = True


def _linger(sock: Any, seconds: float = LINGER_SECONDS) -> None:
    """Read on for a moment before closing: a client that is still sending would lose the answer to a reset."""
    with suppress(OSError), gevent.Timeout(seconds, False):
        sock.shutdown(socket.SHUT_WR)
        for _ in range(LINGER_BYTES // LINGER_STEP):
            if not sock.recv(LINGER_STEP):
                return
            gevent.sleep(0)


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return formatdate(second, usegmt=True)


def _http_date(timestamp: float | None = None) -> str:
    return _date_of(int(time.time() if timestamp is None else timestamp))


# Gunicorn puts the date together anew for every answer; it changes once a second.
util.http_date = _http_date


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own lines in the form of ours.

    Not by `logconfig_dict`: with it gunicorn puts together an access line for every request, logged or not.
    """

    def setup(self, cfg: Any) -> None:
        """Called at the start, and again when the configuration is read again."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter())
        # It warns of every HEAD that Django answers, whose body gunicorn then leaves out as it should.
        logging.getLogger("gunicorn.http.wsgi").setLevel(logging.ERROR)


def on_starting(_server: Any) -> None:
    """Make the directory of the workers' metrics, before any of them is forked."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="thrad-metrics-")


def child_exit(_server: Any, worker: Worker) -> None:
    """Leave out what only a living worker has; its counts stay."""
    from prometheus_client import multiprocess  # noqa: PLC0415  # reads the directory's name when imported

    multiprocess.mark_process_dead(worker.pid)


def on_exit(_server: Any) -> None:
    """Delete the directory of the metrics."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def post_worker_init(_worker: Worker) -> None:
    """Start the threads of a worker, after the fork and after gevent has replaced the blocking calls."""
    from thrad_events import workers  # noqa: PLC0415  # needs Django, which the worker has only now set up

    workers.start()


def _bind() -> str:
    host = os.environ.get("HOST", "127.0.0.1")
    return f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}"


PORT = os.environ.get("PORT", "8000")

wsgi_app = "thrad_events.wsgi:application"
bind = _bind()
worker_class = Worker
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Below the usual limit of 1,024 open files, with room for those that are not connections.
worker_connections = 900
backlog = 2048

# Longer than the minute that balancers and pools keep a connection, or they would now and then send a request
# into one that is being closed. It is also the time in which a request's head has to be there.
keepalive = 75
# A worker whose event loop stands still for this long is replaced.
timeout = 30
# Requests in flight are finished in this time after SIGTERM; below the 30 s after which supervisors kill.
graceful_timeout = 25

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Nobody's X-Forwarded-* counts here, whatever FORWARDED_ALLOW_IPS says. The client's address is decided by
# TRUSTED_PROXIES and the scheme by HTTPS, both in the application. As there is no header to believe, gunicorn need
# not find out, request by request, whether the peer is one to be believed.
forwarded_allow_ips = "*"
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# A Unix socket, in the home directory, by which anybody of the same user steers this server.
control_socket_disable = True

logger_class = JsonLogger
loglevel = os.environ.get("LOG_LEVEL", "INFO")
# The application logs what it refuses; a line per accepted event would only be in the way.
accesslog = None
