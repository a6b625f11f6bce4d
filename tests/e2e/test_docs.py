"""The samples of docs/api.md, run as they stand there, in every language that this machine has."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.harness.collector import Collector
from tests.harness.server import ROOT

# The language of a sample -> what runs it. Python and a shell are always there; the CI script installs the others.
RUNNERS = {
    "sh": ["bash"],
    "python": [sys.executable],
    "javascript": ["node"],
    "php": ["php"],
    "ruby": ["ruby"],
}
TEXT = (ROOT / "docs" / "api.md").read_text()
SAMPLES = dict(re.findall(r"^```(\w+)\n(.*?)^```", TEXT.partition("## Samples")[2], re.MULTILINE | re.DOTALL))
PRESENT = [language for language, command in RUNNERS.items() if shutil.which(command[0])]


def test_every_sample_has_a_runner() -> None:
    assert set(SAMPLES) == set(RUNNERS)


@pytest.mark.parametrize("language", PRESENT)
def test_sample_delivers_its_event(collector: Collector, language: str, tmp_path: Path) -> None:
    script = Path(tmp_path) / "sample"
    script.write_text(SAMPLES[language])
    environment = os.environ | {"THRAD_URL": collector.server.url, "THRAD_API_KEY": collector.raw_key}
    command = [*RUNNERS[language], str(script)]
    first = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert first.returncode == 0, first.stderr
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if language != "sh":
        assert (first.stdout.strip(), again.stdout.strip()) == ("stored", "duplicate")
    (event_id,) = re.findall(r"order-\d+", SAMPLES[language])
    assert collector.rows(f"SELECT count(*) FROM collect_event WHERE event_id = '{event_id}'") == [(1,)]


@pytest.mark.parametrize("language", PRESENT)
def test_sample_stops_where_trying_again_cannot_help(collector: Collector, language: str, tmp_path: Path) -> None:
    script = Path(tmp_path) / "sample"
    script.write_text(SAMPLES[language])
    environment = os.environ | {"THRAD_URL": collector.server.url, "THRAD_API_KEY": "wrong"}
    command = [*RUNNERS[language], str(script)]
    run = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert run.returncode != 0
    assert b"Invalid API key" in run.stdout + run.stderr


class Scripted(BaseHTTPRequestHandler):
    """Answers the requests as the script of its server says, and notes what came when."""

    server: "Script"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((time.monotonic(), body))
        status, wait = self.server.answers[len(self.server.came) - 1]
        self.send_response(status)
        if wait is not None:
            self.send_header("Retry-After", wait)
        self.send_header("X-Event-Outcome", "stored")
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Script(ThreadingHTTPServer):
    """A server with one answer after the other: a status, and what `Retry-After` says."""

    def __init__(self, answers: list[tuple[int, str | None]]) -> None:
        super().__init__(("127.0.0.1", 0), Scripted)
        self.answers = answers
        self.came: list[tuple[float, bytes]] = []

    @contextmanager
    def running(self) -> Iterator["Script"]:
        thread = Thread(target=self.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def run(self, language: str, folder: Path) -> "subprocess.CompletedProcess[str]":
        """Run the sample against this server until it ends."""
        script = folder / "sample"
        script.write_text(SAMPLES[language])
        url = f"http://127.0.0.1:{self.server_port}"
        environment = os.environ | {"THRAD_URL": url, "THRAD_API_KEY": "k", "no_proxy": "127.0.0.1"}
        command = [*RUNNERS[language], str(script)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.once
@pytest.mark.parametrize("language", PRESENT)
def test_sample_tries_again_after_what_a_restart_behind_a_proxy_gives(language: str, tmp_path: Path) -> None:
    with Script([(502, "0"), (504, "0"), (503, "0"), (204, None)]).running() as script:
        run = script.run(language, tmp_path)
    assert run.returncode == 0, run.stderr
    assert len(script.came) == 4
    assert len({body for _, body in script.came}) == 1


@pytest.mark.once
@pytest.mark.parametrize("language", PRESENT)
def test_sample_waits_as_long_as_it_is_told(language: str, tmp_path: Path) -> None:
    """Its own wait would be one second."""
    with Script([(429, "3"), (204, None)]).running() as script:
        run = script.run(language, tmp_path)
    assert run.returncode == 0, run.stderr
    (first, _), (second, _) = script.came
    # A timer may be a little early.
    assert second - first > 2.9


# Curl has an understanding of dates, and a last try, of its own.
@pytest.mark.once
@pytest.mark.parametrize("language", [language for language in PRESENT if language != "sh"])
def test_sample_takes_a_date_of_a_proxy_for_none_and_does_not_wait_after_its_last_try(
    language: str, tmp_path: Path
) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    with Script([(408, date), *[(503, "0")] * 3, (503, "3600")]).running() as script:
        run = script.run(language, tmp_path)
    assert run.returncode != 0
    assert "not delivered" in run.stdout + run.stderr
    assert len(script.came) == 5
