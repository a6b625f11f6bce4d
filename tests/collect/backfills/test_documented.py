"""The examples of docs/backfills.md: run in their order, they print what the page says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client

from collect.models import Event
from collect.storage import ingest
from keys.models import Partner
from tests.harness import databases, factories, mmdb
from tests.harness.server import ROOT

# Rejections are shown by their ids.
pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)

TEXT = (ROOT / "docs" / "backfills.md").read_text()
FILES = dict(re.findall(r"^`(\S+)`:\n\n```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
CONSOLE = re.compile(r"^## (\w+)$|^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What differs from run to run.
VARYING = {
    r"\bin \d+\.\d s\b": "in … s",
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b": "<uuid>",
    r"\b[0-9a-f]{64}\b": "<sha256>",
    r"\b20\d\d-\d\d-\d\dT[\d:.]+(Z|\+00:00)": "<moment>",
    # PostgreSQL's own form of JSON.
    r'": ': '":',
}
END = "--- end of an example ---"


@dataclass(frozen=True, slots=True)
class Example:
    """Lines of a console, and the heading that they stand below."""

    heading: str
    commands: list[str]
    outputs: list[str]


def examples() -> Iterator[Example]:
    heading = ""
    for title, block in CONSOLE.findall(TEXT):
        heading = title or heading
        if block:
            commands = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
            yield Example(heading, commands, re.split(r"^\$ .*\n", block, flags=re.MULTILINE)[1:])


def without_varying(text: str) -> str:
    for pattern, instead in VARYING.items():
        text = re.sub(pattern, instead, text)
    return text


def refuse_events_of_a_sender() -> None:
    """Two events under a wrong name of a field, and one that is nothing, as a sender sends them."""
    _, raw_key = factories.key(Partner.objects.get(name="acme"))
    for body in (
        b'{"event": "order_created", "event_id": "order-2001", "tag_id": "shop", "client_id": "ann"}',
        b'{"event": "order_created", "event_id": "order-2002", "tag_id": "shop"}',
        b"[]",
    ):
        headers = {"Authorization": f"Bearer {raw_key}"}
        answer = Client().post("/api/collect", body, content_type="application/json", headers=headers)
        assert answer.status_code == 400


def store_old_events() -> None:
    api_key, _ = factories.key(Partner.objects.get(name="acme"))
    source = factories.source(api_key, received_at=datetime.now(UTC) - timedelta(days=500))
    ingest.write([factories.arrival(source, event_id=str(number)) for number in range(3)])
    # The history of the page is dated, and would grow old with it.
    Event.objects.filter(received_at__year=2025).exclude(api_key=api_key).update(received_at=datetime.now(UTC))


def run(example: Example, directory: Path) -> list[str]:
    """What each command printed, on either stream; one shell runs them all, so that `$?` is the last one's."""
    manage = f"{sys.executable} {ROOT}/tests/collect/backfills/manage.py"
    lines = [f"(exit $status); {command}; status=$?; echo '{END}'" for command in example.commands]
    script = "status=0\n" + "\n".join(lines).replace(".venv/bin/python manage.py", manage)
    environment = os.environ | {
        "DATABASE_URL": databases.current_url(),
        "GEOIP_PATH": str(directory / "city.mmdb"),
        "LOG_LEVEL": "ERROR",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout.split(f"{END}\n")[:-1]


def test_examples_do_what_the_page_says(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    before = {
        "reenrich_events": lambda: mmdb.write_city(tmp_path / "city.mmdb"),
        "derive_tags": lambda: Event.objects.filter(tag_derived=True).update(tag_id="site:shop.example"),
        "replay_rejections": refuse_events_of_a_sender,
        "prune_events": store_old_events,
    }
    for example in examples():
        before.pop(example.heading, lambda: None)()
        for command, expected, printed in zip(example.commands, example.outputs, run(example, tmp_path), strict=True):
            assert without_varying(printed) == without_varying(expected), command
    assert not before
