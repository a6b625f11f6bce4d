"""An importer of bytes, and bytes to import."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collect.backfills.importing import ImportOptions, import_events
from tests.collect.backfills.runs import NewRun
from tests.harness import factories

SEED = factories.SEED_EVENT


class Loader:
    """An importer of bytes, which become a file in a directory; the rejects come to be beside it."""

    def __init__(self, path: Path, new_run: NewRun) -> None:
        self.path = path
        self.left = 0
        self._new_run = new_run

    def __call__(self, content: bytes | None, name: str = "events.ndjson", **options: Any) -> dict[str, int]:
        """Import the bytes, or the file as it is, and give what was counted."""
        path = self.path / name
        if content is not None:
            path.write_bytes(content)
        run = self._new_run("import_events", dry_run=options.pop("dry_run", False))
        defaults: dict[str, Any] = {
            "partner": "acme",
            "create_partner": True,
            "rejects": str(self.path / "rejects.ndjson"),
        }
        self.left = import_events(ImportOptions([str(path)], **{**defaults, **options}), run)
        return {reason: number for reason, number in run.counts.items() if number}

    def rejects(self) -> list[Any]:
        """The rejects of the last import."""
        return [json.loads(line) for line in (self.path / "rejects.ndjson").read_text().splitlines()]


def lines(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def table(*rows: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def exported(**fields: Any) -> dict[str, Any]:
    return {
        "id": "01a20e6c-438d-7121-b8b0-8d8bb91d1ea3",
        "received_at": "2026-11-24T16:38:25.933587+00:00",
        "timestamp": "2025-05-26T16:00:00+00:00",
        "partner": "acme",
        "api_key": "thrad_live_abcdefghijkl",
        "channel": "web",
        "is_test": False,
        "event_name": "items_added",
        "tag_id": "tag_1",
        "params": {},
        "extra": {},
        **fields,
    }
