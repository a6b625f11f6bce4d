"""How gunicorn serves the application: `python -m gunicorn` in this directory reads it. Settings and hooks alone.

The parts of gunicorn that are replaced are in `runtime/gunicorn/`.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

# A reload executes this file again, in the same process, whose workers inherit the modules that it has: the new code of
# these packages would else stand beside the old.
for _name in [name for name in sys.modules if name.partition(".")[0] in ("keys", "runtime")]:
    del sys.modules[_name]

from keys import crypto  # noqa: E402
from runtime import env_file, environment  # noqa: E402
from runtime.gunicorn import reloading  # noqa: E402
from runtime.gunicorn.logger import JsonLogger  # noqa: E402
from runtime.gunicorn.worker import Worker  # noqa: E402

# HOST, PORT and WEB_CONCURRENCY may stand in `.env` too.
try:
    env_file.take_for_workers(Path(__file__).resolve().parent)
    bind = (
        f"{environment.bracketed(environment.host('HOST', '127.0.0.1'))}:{environment.number('PORT', 8000, 1, 65_535)}"
    )
    workers = environment.number("WEB_CONCURRENCY", 2, 1, 1000)
    loglevel = environment.level("LOG_LEVEL", "INFO")
except ImproperlyConfigured as error:
    # Said in words that name the setting; a traceback would hide them.
    sys.exit(str(error))


class Logger(JsonLogger):
    """Gunicorn's lines, which show no more of a key than the application's do."""

    secret = crypto.SECRET


def on_starting(server: Any) -> None:
    """Make the directory of the workers' metrics, before any worker is forked.

    With unusable settings do not start, nor reload.
    """
    if not reloading.passes(server.log, _check_settings):
        sys.exit(1)
    reloading.guard(server, _check_settings)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="thrad-metrics-")


def _check_settings() -> None:
    from thrad_events.start import refuse_unusable_settings  # noqa: PLC0415  # of the new code, after a reload

    refuse_unusable_settings()


def child_exit(_server: Any, worker: Worker) -> None:
    """Drop the gauges of a worker that has ended; its counters stay."""
    from prometheus_client import multiprocess  # noqa: PLC0415  # reads the directory's name when imported

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Delete the directory of the metrics."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def post_worker_init(_worker: Worker) -> None:
    """Start the threads of a worker, after the fork and after gevent has replaced the blocking calls."""
    from thrad_events import workers  # noqa: PLC0415  # needs Django, which the worker has only now set up

    workers.start()


def worker_exit(_server: Any, worker: Worker) -> None:
    """End what a worker has started, in the worker itself and after its last answer."""
    # One that could not load the application has started nothing.
    if worker.booted:
        from thrad_events import workers  # noqa: PLC0415  # as above

        workers.stop()


wsgi_app = "thrad_events.wsgi:application"
worker_class = Worker
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

# Gunicorn believes no X-Forwarded-* header, whatever FORWARDED_ALLOW_IPS says: TRUSTED_PROXIES decides on the client's
# address and HTTPS on the scheme, both in the application. With no header to believe, "*" spares gunicorn the question,
# for each request, whether the peer is to be believed.
forwarded_allow_ips = "*"
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# Else gunicorn opens a Unix socket in the home directory, by which any process of the same user can steer the server.
control_socket_disable = True

logger_class = Logger
# The application logs what it refuses. A line for each accepted event would hide those.
accesslog = None
