"""The files that a reconciliation writes: what can be sent again, and the whole comparison."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from collect.models import Event
from keys.models import ApiKey
from tests.harness import factories
from tests.reporting.reconciling.running import csv_file, lines_of, reconcile

pytestmark = pytest.mark.django_db


def send(client: Client, key_text: str, path: Path) -> Any:
    headers = {"Authorization": f"Bearer {key_text}"}
    body = path.read_bytes()
    return client.post("/api/collect/batch", body, content_type="application/x-ndjson", headers=headers).json()


ORDERS: tuple[dict[str, Any], ...] = (
    {"order_id": "1001", "amount": "58.00", "currency": "EUR", "timestamp": "2026-11-20T10:00:00.25Z"},
    {"order_id": 1002, "amount": 0.1, "currency": "USD"},
    {"order_id": "1003", "amount": "12345678901.2345", "currency": "KWD"},
    {"order_id": "x" * 255, "amount": "-5", "currency": "JPY"},
)


@pytest.mark.parametrize("match", ["event_id", "order_id"])
def test_file_that_is_sent_again_closes_the_gap(client: Client, tmp_path: Path, match: str) -> None:
    _, key_text = factories.issue()
    listed, again = tmp_path / "list.ndjson", tmp_path / "again.ndjson"
    lines = [{match: order["order_id"], **{k: v for k, v in order.items() if k != "order_id"}} for order in ORDERS]
    listed.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = (listed, "--partner", "Acme", "--resend", again)
    assert reconcile(*options)[0] == 3
    sent = tmp_path / "sent.ndjson"
    sent.write_bytes(again.read_bytes())
    answer = send(client, key_text, again)
    assert answer == {"stored": 4, "duplicates": 0, "conflicts": 0, "spooled": 0, "rejected": []}
    # Sent twice, nothing counts twice.
    assert send(client, key_text, again)["duplicates"] == 4
    assert Event.objects.get(params__value=58).timestamp == datetime(2026, 11, 20, 10, 0, 0, 250_000, UTC)
    status, said = reconcile(*options)
    assert (status, again.read_bytes()) == (0, b"")
    assert "missing 0 not stored" in lines_of(said)
    # What was sent is a list that can be compared itself.
    assert reconcile(sent, "--partner", "Acme")[0] == 0


def test_event_that_is_sent_again_has_all_that_the_line_says(key: ApiKey, tmp_path: Path) -> None:
    listed = csv_file(
        tmp_path / "list.csv",
        "event_id,order_id,tag_id,event_name,value,currency,created_at",
        "e,o,t,lead_created,7.50,EUR,2026-11-20",
    )
    again = tmp_path / "again.ndjson"
    reconcile(listed, "--partner", "Acme", "--resend", again, "--tz", "Europe/Berlin")
    assert json.loads(again.read_text()) == {
        "event_name": "lead_created",
        "event_id": "e",
        "tag_id": "t",
        "timestamp": 1763593200 + 365 * 86_400,
        "params": {"order_id": "o", "value": 7.5, "currency": "EUR"},
    }


def test_lines_that_contradict_each_other_are_not_sent_again(key: ApiKey, tmp_path: Path) -> None:
    listed = csv_file(tmp_path / "list.csv", "event_id,amount,currency", "a,1,EUR", "a,2,EUR")
    again = tmp_path / "again.ndjson"
    status, said = reconcile(listed, "--partner", "Acme", "--resend", again)
    assert (status, again.read_bytes()) == (3, b"")
    assert "2 lines have an id that is not stored and differ from another line of it" in said


def test_whole_comparison_is_a_file_that_no_spreadsheet_runs(stored: Callable[..., None], tmp_path: Path) -> None:
    stored(-2, event_id="=1+1")
    stored(9, event_id="extra")
    listed = csv_file(tmp_path / "list.csv", "event_id,amount,currency", "=1+1,-1,EUR", "b,x,EUR", "c,3,EUR")
    out = tmp_path / "all.csv"
    assert reconcile(listed, "--partner", "Acme", "--out", out, "--rows", 0)[0] == 3
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    told = [
        [row[name] for name in ("class", "line", "id", "amount", "stored_amount", "stored_currency")] for row in rows
    ]
    assert told == [
        ["different", "2", "'=1+1", "-1", "-2", "EUR"],
        ["unreadable", "3", "", "", "", ""],
        ["missing", "4", "c", "3", "", ""],
        ["only_here", "", "extra", "", "9", "EUR"],
    ]
    assert out.stat().st_mode & 0o077 == 0
    out = tmp_path / "all.ndjson.gz"
    reconcile(listed, "--partner", "Acme", "--out", out)
    first, *_, last = map(json.loads, gzip.decompress(out.read_bytes()).splitlines())
    assert (first["class"], first["id"], first["stored_amount"], first["cause"]) == ("different", "=1+1", -2, "amount")
    assert last == {
        "class": "only_here", "id": "extra", "event_name": "order_created", "stored_amount": 9,
        "stored_currency": "EUR", "stored_time": "2026-11-20T00:00:00Z", "stored_events": 1, "counted": 1,
        "stored_values": 1, "stored_event": str(Event.objects.get(event_id="extra").pk),
    }  # fmt: skip
