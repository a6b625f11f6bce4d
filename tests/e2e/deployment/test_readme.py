"""README.md, pasted line after line by somebody who has just run `make run`."""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.deployment.samples import fences, placed
from tests.harness import mmdb
from tests.harness.collector import Collector, manage
from tests.harness.server import ROOT, serve

README = ROOT / "README.md"
LINES = fences(README, "sh")


def pasted(having: str) -> str:
    (found,) = (lines for lines in LINES if having in lines)
    return found


def shell(directory: Path, script: str, **environment: str) -> str:
    """What a shell prints that ends at the first line which fails."""
    told = subprocess.run(
        ["bash", "-eu"],
        input=script,
        cwd=directory,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory that looks like the clone in which the lines are pasted, and keeps what they write."""
    for name in ("manage.py", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    event = {"event_name": "lead_created", "event_id": "lead-1", "tag_id": "shop", "client_id": "ann"}
    (tmp_path / "history.ndjson.gz").write_bytes(gzip.compress(json.dumps(event).encode()))
    return tmp_path


def test_lines_work_as_pasted_in_order(clone: Path, migrated_database: str) -> None:
    manage(migrated_database, "first_run")
    environment = {"DATABASE_URL": migrated_database, "GEOIP_PATH": str(mmdb.write_city(clone / "city.mmdb"))}
    with serve(migrated_database) as server:
        send = placed(pasted("curl"), {"http://127.0.0.1:8000": server.url})
        keys, history = pasted("revoke_key"), pasted("import_events")
        told = shell(clone, f"{send}\n{keys}\n{history}", **environment)
        again = shell(clone, send, **environment)
        found = Collector(server, migrated_database, "").rows("SELECT event_name, tag_id, event_id FROM collect_event")
    assert "204 No Content" in told
    assert "X-Event-Outcome: stored" in told
    assert "X-Event-Outcome: duplicate" in again
    assert found == [("items_added", "shop", "evt_42")]  # what was imported, the last line erases
    states = manage(migrated_database, "list_keys")
    assert len(re.findall("revoked", states)) == 1
    assert len(re.findall("acme", states)) == 2
    assert (clone / "acme.parquet").stat().st_size > 0
    assert json.loads((clone / "proof.json").read_text())["events"] == 1


# zsh, the shell of macOS, takes what follows a command for its arguments; and nobody has a key of that name.
@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_no_line_has_a_comment_behind_it(page: str) -> None:
    assert re.findall(r"^\S.*\s#\s.*$", "\n".join(fences(ROOT / page, "sh")), re.MULTILINE) == []
    assert page != "README.md" or "…" not in "".join(LINES)
