"""The samples of docs/api.md, run as they stand there, in every language that this machine has."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

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
