"""What a spreadsheet, a database or a data frame has written anew comes back as what it was."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collect.backfills.exporting import ExportOptions, export_events
from collect.models import Event
from collect.storage import ingest
from keys.models import ApiKey
from tests.collect.backfills.importing.loading import Loader, exported, lines, table
from tests.collect.backfills.runs import NewRun
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)

INSTANT = datetime(2026, 11, 26, 8, 36, 39, 123_000, UTC)
SPELLINGS = [
    "2026-11-26T08:36:39.123Z",
    "2026-11-26 08:36:39.123+00",
    "2026-11-26 09:36:39.123000+01:00",
    "2026-11-26 08:36:39,123Z",
    "2026-11-26 08:36:39.123 UTC",
    "2026-11-26 04:36:39.123 -0400",
    "2026-11-26t08:36:39.123z",
    "2026-11-26T09:36:39.123+01:00[Europe/Berlin]",
    "2026-11-26T08:36:39.123000000Z",
    "2026-11-26T08:36:39.123",
]


def csv_of(**cells: str) -> bytes:
    return table(list(cells), list(cells.values()))


def written_anew(content: str, change: Any) -> bytes:
    """A CSV file in which `change` was made to each row."""
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    for row in rows:
        change(row)
    return table(list(rows[0]), *(list(row.values()) for row in rows))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_moments_in_csv_may_be_spelled_in_many_ways(load: Loader, spelling: str) -> None:
    counts = load(csv_of(event_name="x", timestamp=spelling, received_at=spelling), "events.csv")
    assert counts == {"stored": 1}
    event = Event.objects.get()
    assert (event.timestamp, event.received_at) == (INSTANT, INSTANT)


@pytest.mark.parametrize("spelling", SPELLINGS[:-1])
def test_moments_of_an_exported_event_may_be_spelled_anew(load: Loader, spelling: str) -> None:
    assert load(lines(exported(timestamp=spelling, received_at=spelling))) == {"stored": 1}
    event = Event.objects.get()
    assert (event.timestamp, event.received_at) == (INSTANT, INSTANT)


@pytest.mark.parametrize("spelling", ["26.11.2026 08:36", "11/26/2026", "infinity", "NaN", "46350.3587", "2026-13-01"])
def test_moments_that_nobody_can_tell_are_refused(load: Loader, spelling: str) -> None:
    cells = exported(params="{}", extra="{}", consent="", is_test="false", timestamp="2026-11-26T08:36:39Z")
    assert load(csv_of(**cells | {"timestamp": spelling}), "events.csv") == {"refused: invalid_event": 1}
    assert list(load.rejects()[0]["errors"]) == ["timestamp"]


def test_receipt_without_a_zone_is_refused_where_text_is_typed(load: Loader) -> None:
    assert load(lines({"event_name": "x", "received_at": SPELLINGS[-1]})) == {"refused: invalid_event": 1}
    assert load.rejects()[0]["errors"] == {"received_at": ["has no zone: write Z or +01:00 behind it"]}


@pytest.mark.parametrize(("yes", "no"), [("TRUE", "False"), ("1", "0"), ("t", "f"), ("Yes", "NO"), ("true", "false")])
def test_export_that_a_spreadsheet_has_saved_comes_back(
    load: Loader, new_run: NewRun, tmp_path: Path, api_key: ApiKey, yes: str, no: str
) -> None:
    ingest.write([factories.arrival(factories.source(api_key, is_test=True), **factories.SEED_EVENT)])
    ApiKey.objects.update(is_test=True, prefix=f"thrad_test_{'a' * 12}")
    export_events(ExportOptions(str(tmp_path / "export.csv"), "csv"), new_run("export"))
    before = Event.objects.values().get()
    Event.objects.all().delete()

    def change(row: dict[str, str]) -> None:
        for name in ("is_test", "tag_derived", "ua_is_bot"):
            row[name] = {"true": yes, "false": no}.get(row[name], "NULL")
        for name in ("timestamp", "received_at"):
            row[name] = row[name].replace("T", " ").removesuffix("Z").removesuffix("+00:00")
        row["geo_lat"] = r"\N"

    content = written_anew((tmp_path / "export.csv").read_text(), change)
    assert load(content + b"," * content.splitlines()[0].count(b",") + b"\r\n", "saved.csv") == {"stored": 1}
    assert Event.objects.values().get() == before


def test_decimal_comma_in_columns_of_numbers(load: Loader) -> None:
    cells = exported(params="{}", extra="{}", consent="", is_test="FALSE", geo_lat="52,52", geo_lon="-13")
    assert load(csv_of(**cells), "events.csv") == {"stored": 1}
    assert Event.objects.values_list("geo_lat", "geo_lon").get() == (52.52, -13.0)
    assert load(csv_of(event_name="x", timestamp="1748275200,5"), "sent.csv") == {"stored": 1}
    assert Event.objects.get(event_name="x").timestamp == datetime(2025, 5, 26, 16, 0, 0, 500_000, UTC)


@pytest.mark.parametrize("null", ["", "NULL", "null", r"\N"])
def test_cells_that_say_nothing_are_absent_but_in_free_text(load: Loader, null: str) -> None:
    cells = dict.fromkeys(
        ("timestamp", "received_at", "event_id", "client_id", "ip_address", "params.a", "campaign"), null
    )
    assert load(csv_of(event_name="x", **cells), "events.csv") == {"stored": 1}
    event = Event.objects.get()
    assert (event.event_id, event.client_id, event.ip_address) == (None, None, None)
    free = {"": {}, "null": {"a": None}}.get(null, {"a": null})
    assert (event.params, event.extra) == (free, {} if null == "" else {"campaign": null})


def test_text_that_was_sent_so_comes_back_from_an_export(load: Loader) -> None:
    cells = exported(params="{}", extra="{}", consent="", is_test="false", client_id="NULL", session_id="null")
    assert load(csv_of(**cells), "events.csv") == {"stored": 1}
    assert Event.objects.values_list("client_id", "session_id").get() == ("NULL", "null")


@pytest.mark.parametrize(
    ("cell", "value"),
    [("12E5", "12E5"), ("1e10", "1e10"), ("12E999", "12E999"), ("1.5E3", 1500.0), ("1e-07", 1e-07), ("1E+16", 1e16),
     ("007", "007"), ("58,00", "58,00"), ("58.00", 58.0), ("TRUE", "TRUE"), ("true", True)],
)  # fmt: skip
def test_code_is_no_number(load: Loader, cell: str, value: object) -> None:
    load(csv_of(event_name="x", **{"params.v": cell}), "events.csv")
    assert Event.objects.get().params == {"v": value}
