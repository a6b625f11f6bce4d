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

    def start(self, *arguments: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": stdout, "stderr": subprocess.PIPE}
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, text=True, **pipes)

    def __call__(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def kill_when(self, ready: Callable[[], bool], *arguments: str, by: int = signal.SIGKILL) -> int:
        """Start it, end it by a signal once `ready`, and give its exit status."""
        process = self.start(*arguments)
        deadline = time.monotonic() + 60
        while not ready():
            assert process.poll() is None, f"it ended before it was killed: {process.communicate()}"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(by)
        process.communicate(timeout=60)
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
    """Events one after another until the process ends with `status`, each answered 204; how many of each outcome."""
    headers = {"Authorization": f"Bearer {raw_key}", "Content-Type": "application/json"}
    outcomes: Counter[str] = Counter()
    deadline = time.monotonic() + 120
    while process.poll() is None:
        assert time.monotonic() < deadline
        response = server.request("POST", "/api/collect", json.dumps(event(outcomes.total())).encode(), headers)
        response.read()
        assert response.status == 204
        outcomes[response.headers["X-Event-Outcome"]] += 1
    process.communicate()
    assert process.returncode == status
    return outcomes
