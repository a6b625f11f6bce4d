"""A watcher of the page Live beside senders at full rate, with what each of them knows in the end."""

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.e2e.live.watcher import Key, Watcher
from tests.faults.load import Load
from tests.harness.browser import Browser
from tests.harness.server import ROOT

EVERY_SECONDS = 2
OPERATOR, PASSWORD = "olga", "a long password"


class Batches:
    """One thread that sends batches of 500 on one connection, each with a few events that are refused."""

    def __init__(self, port: int, key: str) -> None:
        self.stored = self.rejected = 0
        self._port, self._key = port, key
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Batches":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._thread.join(60)

    def _run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        good = [{"event_name": "contents_viewed", "tag_id": "batch"}] * 499
        # A key keeps a thousand rejections an hour.
        headers = {"Authorization": f"Bearer {self._key}", "Content-Encoding": "gzip"}
        while not self._stopping.is_set():
            bad = [{"tag_id": "batch"}] if self.rejected < 500 else []
            connection.request("POST", "/api/collect/batch", gzip.compress(json.dumps(good + bad).encode(), 1), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 200:
                self.stored += answer["stored"]
                self.rejected += len(answer["rejected"])
        connection.close()


def add_operator(database_url: str) -> None:
    """Add somebody who may see all of the console."""
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--email=o@example.com"]
    own = {"DATABASE_URL": database_url, "DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DJANGO_SUPERUSER_USERNAME": OPERATOR}
    subprocess.run(command, cwd=ROOT, env=os.environ | own, check=True, capture_output=True)


def reader(port: int) -> Callable[[str], Any]:
    """What reads the JSON at an address of the console, logged in."""
    # Beside senders at full rate even a log-in may take a while.
    browser = Browser(f"http://127.0.0.1:{port}", lambda: HTTPConnection("127.0.0.1", port, timeout=60))
    browser.log_in(OPERATOR, PASSWORD)

    def get(address: str) -> Any:
        status, text = browser.open(address)
        assert status == 200, f"{status} {address}: {text[:500]}"
        return json.loads(text)

    return get


def watch(port: int, key: str, seconds: float, directory: Path, watchers: list[Watcher]) -> int:
    """Send at full rate for so long while the watchers look as a browser does; how many events were sent."""
    with ExitStack() as stack:
        load = stack.enter_context(Load(port, key, directory / "acknowledged", threads=12))
        batches = stack.enter_context(Batches(port, key))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(EVERY_SECONDS)
            for watcher in watchers:
                watcher.look()
    for _ in range(3):
        time.sleep(EVERY_SECONDS)
        for watcher in watchers:
            watcher.look()
    return load.count() + batches.stored


def assert_whole(watcher: Watcher, table: set[Key]) -> None:
    """Fail unless what stands on the page and behind its links is exactly the table."""
    found = watcher.everything()
    missing, invented = table - found, found - table
    assert not missing, f"{len(missing)} of {len(table)} rows are nowhere, as {sorted(missing)[:3]}"
    assert not invented, f"{len(invented)} rows are not in the table, as {sorted(invented)[:3]}"
