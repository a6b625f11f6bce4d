"""Runs that say nothing, commands as processes, a kill in the middle, and live traffic beside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import connection

from collect.backfills.run import Run
from tests.harness import databases, factories
from tests.harness.server import ROOT, Server

# A maker of runs, all of which speak to `told`.
NewRun = Callable[..., Run]


class Told(list[str]):
    """What a run said, as one text."""

    def __str__(self) -> str:
        return "".join(self)


class Command:
    """A command of manage.py as its own process, on the database of the test."""

    def __init__(self) -> None:
        self.environment = os.environ | {"DATABASE_URL": databases.current_url()}
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": stdout, "stderr": subprocess.PIPE}
        command = [sys.executable, "tests/collect/backfills/manage.py", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, text=True, **pipes)
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what a test that failed left at work: it would write into the database of the next one."""
        for process in self._started:
            with process:
                process.kill()

    def __call__(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def kill_when(self, ready: Callable[[], bool], *arguments: str, by: int = signal.SIGKILL) -> int:
        """Start it, end it by a signal once `ready`, and give its exit status."""
        process = self.start(*arguments)
        deadline = time.monotonic() + 180
        while not ready():
            assert process.poll() is None, f"it ended before it was killed: {process.communicate()}"
            assert time.monotonic() < deadline, "it is not ready to be killed"
            time.sleep(0.005)
        process.send_signal(by)
        process.communicate(timeout=180)
        return process.returncode


def _live(number: int) -> dict[str, Any]:
    return {**factories.SEED_EVENT, "event_id": f"live {number}"}


def send_beside(
    process: "subprocess.Popen[str]",
    server: Server,
    raw_key: str,
    event: Callable[[int], dict[str, Any]] = _live,
    status: int = 0,
) -> "Counter[str]":
    """Events one after another until the process ends with `status`; how many of each outcome.

    As senders do, it sends again what is answered 503, which may happen on SQLite where one writer waits for another.
    """
    headers = {"Authorization": f"Bearer {raw_key}", "Content-Type": "application/json"}
    outcomes: Counter[str] = Counter()
    refused = 0
    deadline = time.monotonic() + 180
    while process.poll() is None:
        assert time.monotonic() < deadline, "the process has not ended"
        response = server.request("POST", "/api/collect", json.dumps(event(outcomes.total())).encode(), headers)
        body = response.read()
        if response.status == 503 and connection.vendor == "sqlite":
            refused += 1
            continue
        assert response.status == 204, body
        outcomes[response.headers["X-Event-Outcome"]] += 1
    told = process.communicate()
    assert process.returncode == status, told
    assert refused * 10 <= outcomes.total()
    return outcomes
