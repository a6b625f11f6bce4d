"""A worker on both of its ways: it serves plain requests itself, or leaves all to gunicorn."""

import os
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from runtime.gunicorn.connection import reader_of
from runtime.gunicorn.worker import Worker
from tests.runtime.gunicorn.serving import Application, Clients


@pytest.fixture(params=["plain", "gunicorn"])
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Clients of a worker that serves plain requests itself, and of one that leaves all to gunicorn."""
    cfg = Config()
    cfg.set("loglevel", "critical")
    cfg.set("keepalive", 75)
    cfg.set("secure_scheme_headers", {})
    cfg.set("max_requests", 0 if request.param == "plain" else 1_000_000)
    worker = Worker(1, os.getppid(), [], None, 30, cfg, Logger(cfg))
    worker.wsgi = Application()
    worker._reader = reader_of(worker.wsgi, cfg, worker.log)
    assert (worker._reader is None) is (request.param == "gunicorn")
    made = Clients(worker)
    yield made
    made.close()
    worker.tmp.close()
