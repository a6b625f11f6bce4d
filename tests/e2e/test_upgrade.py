"""An upgrade and a downgrade: what one version wrote the other serves, with nothing done by hand but `migrate`.

What is migrated are new columns that may be null: nothing of a large table is written again, and the version before
serves it as well.

`before_0.1.0.tar.xz` is the program as it was before its rooms were put in order (commit d298405), made by

    git archive COMMIT manage.py gunicorn.conf.py thrad_events keys collect templates .env.example | xz -9e
"""

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness import databases
from tests.harness.collector import Collector, manage
from tests.harness.server import ROOT, serve

BEFORE = Path(__file__).with_name("before_0.1.0.tar.xz")
# Settings that the tests set for all processes; here they are those of the operator's own file.
OWN = ("SECRET_KEY", "DATABASE_URL", "VAR_DIR", "GEOIP_PATH", "SPOOL_PATH", "ENV_FILE")
NOTHING_PLANNED = "Planned operations:\n  No planned migration operations.\n"
# The first operation of the migrations that are new since.
PLANNED = "\ncollect.0004_event_ua_bot_reason\n    Add field ua_bot_reason to event\n"
BOT = "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"

# Events that were acknowledged while the database was away, as `ingest` spools them.
SPOOL_BEFORE = """
from datetime import UTC, datetime
from collect import contract, rows, spool
from collect.geo import Geo
from keys.models import ApiKey
key = ApiKey.objects.get()
source = rows.Source(partner_id=key.partner_id, api_key_id=key.pk, is_test=False, received_at=datetime.now(UTC),
                     ip_address="127.0.0.1", geo=Geo())
body = b'{BODY}'
row = rows.build(contract.decode(body), source)
spool.prepare()
spool.append([rows.Arrival(row, rows.encode(row), body, "request-1")])
"""
SPOOL_NOW = """
from datetime import UTC, datetime
from collect import assembly
from collect.enrichment.city import Geo
from collect.intake import contract
from collect.intake.source import Source
from collect.storage import spool
from collect.storage.rows import Arrival
from keys.models import ApiKey
key = ApiKey.objects.get()
source = Source(partner_id=key.partner_id, api_key_id=key.pk, is_test=False, received_at=datetime.now(UTC),
                ip_address="127.0.0.1", geo=Geo())
body = b'{BODY}'
spool.prepare()
spool.append([Arrival.of(assembly.build(contract.decode(body), source), body, "request-1")])
"""


@dataclass(frozen=True)
class Version:
    """The program in a directory, with an operator's `.env` and what it writes."""

    directory: Path
    env_file: Path
    database_url: str
    spooling: str

    @property
    def _wrapper(self) -> tuple[str, ...]:
        unset = [part for name in OWN for part in ("-u", name)]
        return ("env", "-C", str(self.directory), *unset, f"ENV_FILE={self.env_file}")

    def manage(self, *arguments: str) -> str:
        """Run a command and return what it prints. Raises CalledProcessError."""
        command = [*self._wrapper, sys.executable, "manage.py", *arguments]
        told = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False, timeout=120)
        assert told.returncode == 0, told.stderr
        return told.stdout

    def spool(self, event: dict[str, Any]) -> None:
        """Leave an acknowledged event in the spool."""
        self.manage("shell", "-v0", "-c", self.spooling.replace("{BODY}", json.dumps(event)))

    def collect(self, raw_key: str, act: Callable[[Collector], None]) -> None:
        """Serve with this version while `act` sends and looks."""
        with serve(self.database_url, self._wrapper) as server:
            act(Collector(server, self.database_url, raw_key))


@pytest.fixture
def versions(tmp_path: Path, new_database: str) -> tuple[Version, Version]:
    """The version before and this one, on one database, one `.env` and one `var`."""
    before, var = tmp_path / "before", tmp_path / "var"
    with tarfile.open(BEFORE) as archive:
        archive.extractall(before, filter="data")
    var.mkdir()
    settings = {
        "SECRET_KEY": "an operator's own, which the sessions and the forms of both are signed with: 0123456789",
        "DATABASE_URL": new_database,
        "VAR_DIR": str(var),
    }
    text = (before / ".env.example").read_text()
    for name, value in settings.items():
        lines = [f"{name}={value}" if line.lstrip("#").startswith(f"{name}=") else line for line in text.splitlines()]
        text = "\n".join(lines)
    env_file = tmp_path / ".env"
    env_file.write_text(text)
    return Version(before, env_file, new_database, SPOOL_BEFORE), Version(ROOT, env_file, new_database, SPOOL_NOW)


def outcome(collector: Collector, event_id: str, **fields: Any) -> str:
    answer = collector.post({"event_name": "order_created", "event_id": event_id, "tag_id": "shop", **fields})
    assert answer.status == 204, answer.body
    return answer.headers["X-Event-Outcome"]


def wait_for(collector: Collector, event_id: str) -> None:
    """Wait until the event is in the database; fail after half a minute."""
    for _ in range(300):
        if collector.rows(f"SELECT 1 FROM collect_event WHERE event_id = '{event_id}'"):
            return
        time.sleep(0.1)
    raise AssertionError(f"{event_id} was not drained:\n{collector.server.log}")


def test_upgrade_and_downgrade_serve_what_the_other_version_wrote(versions: tuple[Version, Version]) -> None:
    before, now = versions
    before.manage("migrate", "-v0")
    raw_key = before.manage("issue_key", "--partner", "acme", "--label", "orders").strip()
    has_spool = not databases.is_sqlite()

    def begin(collector: Collector) -> None:
        assert outcome(collector, "first", params={"value": 1.50}) == "stored"
        assert outcome(collector, "first", params={"value": 2}) == "conflict"

    before.collect(raw_key, begin)
    spooled = {"event_name": "order_created", "consent": {"ad": True}, "user_agent": BOT}
    if has_spool:
        before.spool({**spooled, "event_id": "spooled before"})

    # --- up ---
    assert PLANNED in now.manage("migrate", "--plan")
    now.manage("migrate", "-v0")

    def go_on(collector: Collector) -> None:
        if has_spool:
            wait_for(collector, "spooled before")
            assert collector.row("spooled before", "ua_is_bot, ua_bot_reason") == (True, None)
        assert outcome(collector, "first", params={"value": 1.50}) == "duplicate"
        assert outcome(collector, "second", user_agent=BOT) == "stored"
        assert collector.row("second", "ua_bot_reason") == ("crawler",)
        assert collector.request("GET", "/readyz").json()["status"] == "ready"
        assert collector.count("collect_rejection") == 1

    now.collect(raw_key, go_on)
    if has_spool:
        now.spool({**spooled, "event_id": "spooled now"})
    now.manage("rotate_key", raw_key, "--grace", "1h")

    # --- and down again ---
    assert before.manage("migrate", "--plan") == NOTHING_PLANNED

    def return_to(collector: Collector) -> None:
        if has_spool:
            wait_for(collector, "spooled now")
            assert collector.row("spooled now", "ua_is_bot, ua_bot_reason") == (True, None)
        assert outcome(collector, "second", user_agent=BOT) == "duplicate"
        assert outcome(collector, "third") == "stored"
        assert collector.request("GET", "/readyz").json()["status"] == "ready"

    before.collect(raw_key, return_to)


PRUNES = """
from collect.models import Event
from collect.storage import removal
from collect.storage.ledger.tally import Endpoint
removal.remove(list(Event.objects.filter(event_name="pruned").values_list("pk", flat=True)), Endpoint.PRUNE)
"""
COUNTS_ALL = """
from datetime import datetime, timedelta, UTC
from reporting.rollups.running import Rollup
for _ in Rollup().run(datetime.now(UTC) + timedelta(hours=1)):
    pass
"""


def test_counts_stay_when_summaries_come_go_and_come_again(new_database: str, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        return manage(new_database, *arguments)

    def counts() -> str:
        return run("report", "daily", "--clients", "no", "--by", "event_name", "--format", "csv")

    run("migrate", "-v0")
    run("issue_key", "--partner", "acme", "--label", "orders")
    events = [{"event_name": name, "tag_id": "shop", "timestamp": time.time()} for name in ("kept", "pruned", "kept")]
    (tmp_path / "events.ndjson").write_text("\n".join(map(json.dumps, events)))
    run("import_events", str(tmp_path / "events.ndjson"), "--partner", "acme")
    run("shell", "-v0", "-c", COUNTS_ALL)
    run("shell", "-v0", "-c", PRUNES)
    expected = counts()
    assert ",kept,2" in expected
    assert ",pruned,1" in expected
    run("migrate", "-v0", "reporting", "0003")
    run("migrate", "-v0")
    # From the buckets, until they have been summed up again.
    assert counts() == expected
    run("shell", "-v0", "-c", COUNTS_ALL)
    assert counts() == expected
    assert "0 differ" in run("rollup", "--check", "100")


def test_every_migration_can_be_undone_and_events_stay(new_database: str) -> None:
    def migrate(*to: str) -> None:
        manage(new_database, "migrate", "-v0", *to)

    migrate()
    raw_key = manage(new_database, "issue_key", "--partner", "acme", "--label", "orders").strip()
    for expected in ("stored", "duplicate"):
        with serve(new_database) as server:
            assert outcome(Collector(server, new_database, raw_key), "kept", params={"value": 1.50}) == expected
        migrate("collect", "0001")
        migrate("keys", "0001")
        migrate()
