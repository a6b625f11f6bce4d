"""Tries a reload in a process of its own first: a slip in a setting, or in new code, must end no running server.

Gunicorn ends where it cannot read its configuration, or where a new worker cannot load the application.
"""

import os
import signal
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from django.core.exceptions import ImproperlyConfigured

# A trial that takes longer is given up: meanwhile the master heeds nothing else.
TRIAL_SECONDS = 30


def guard(server: Any, check: Callable[[], None]) -> None:
    """Let the server go on as it is where a reload would fail. `check` raises if the settings cannot be used."""
    reload = server.reload

    def trial() -> None:
        server.app.reload()
        server.app.wsgi()
        check()

    def guarded() -> None:
        if passes(server.log, trial):
            reload()
        else:
            server.log.critical("the reload is refused, the server goes on with the settings and the code of before")

    server.reload = guarded


def passes(log: Any, trial: Callable[[], None]) -> bool:
    """Tell whether `trial` ends without an exception, and log the one that it raises.

    It runs in a process of its own: what it imports and sets is not there for the next one.
    """
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(TRIAL_SECONDS)
    # It is no worker, whose metrics would be counted.
    with TemporaryDirectory(prefix="thrad-trial-") as metrics:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        status = _status(log, trial)
    os._exit(status)


def _status(log: Any, trial: Callable[[], None]) -> int:
    try:
        trial()
    except (ImproperlyConfigured, SystemExit) as error:
        # A status alone has been explained by whoever raised it.
        if not isinstance(getattr(error, "code", None), int):
            log.critical("%s", error)
        return 1
    except BaseException:
        log.exception("the application cannot be loaded")
        return 1
    finally:
        sys.stderr.flush()
    return 0
