"""`export_events`: what goes out comes back as the same rows, and no half file is ever taken for a whole one."""

import csv
import gzip
import itertools
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from django.core.management.base import CommandError

from collect.backfills.exporting import ExportOptions, export_events
from collect.backfills.formats import pages
from collect.backfills.importing import ImportOptions, import_events
from collect.backfills.run import BackfillError, Run, Stopped
from collect.backfills.selection import Selection
from collect.enrichment.city import Geo
from collect.models import Checkpoint, Event, Rejection, RejectionTally
from collect.storage import ingest
from keys.models import ApiKey, KeyChange, Partner
from tests.collect.backfills.runs import Command, NewRun, send_beside
from tests.harness import factories
from tests.harness.server import Server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def events() -> list[dict[str, Any]]:
    """Events of every shape: absent and full, odd texts, odd numbers, with a live key, a test key and none."""
    one, _ = factories.key(factories.partner('a "partner"'))
    two, _ = factories.key(factories.partner("b\\ü"), is_test=True)
    berlin = Geo("DE", "Land Berlin", "Berlin", -52.52, 1e-07)
    odd = 'q"b\\n\n\t\r\x01\x0b\x1f\x7f\u2028ü🎉 =1'
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36"
    arrivals = [
        factories.arrival(factories.source(one, geo=berlin, ip_address="2001:db8::1"), **factories.SEED_EVENT),
        factories.arrival(factories.source(two, ip_address=None), tag_id=odd, event_name=odd.strip()),
        factories.arrival(factories.source(one, api_key_id=None, channel="web"), page_url="https://shop.example/"),
        factories.arrival(factories.source(one), user_agent=agent, referrer="", client_id=" "),
        factories.arrival(factories.source(one), user_agent="AhrefsBot/7.0"),
        factories.arrival(factories.source(one, ip_address="::5")),
        *(factories.arrival(factories.source(one), session_id=text, tag_id=f"{text}t")
          for text in ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x", "''", "null", "5", "true")),
        factories.arrival(
            factories.source(one),
            timestamp=1748275200.123456,
            params={"": 1, odd: [odd, None, True, 1.50, 10**30, 1e-300, {"deep": {}}]},
            consent={"ad": False},
            unknown={"partner": 1},
        ),
    ]  # fmt: skip
    ingest.write(arrivals)
    return rows()


def rows() -> list[dict[str, Any]]:
    """All that there is of events, with names where another database has other ids."""
    names = [field.name for field in Event._meta.concrete_fields if field.name not in ("partner", "api_key")]
    return list(Event.objects.order_by("id").values(*names, "partner__name", "api_key__prefix"))


def forget_everything() -> None:
    KeyChange.objects.all()._raw_delete("default")
    for model in (Event, Rejection, RejectionTally, ApiKey, Partner):
        model.objects.all().delete()


@pytest.mark.parametrize(
    ("format", "suffix"), [*itertools.product(("ndjson", "csv"), ("", ".gz", ".zst")), ("parquet", "")]
)
def test_round_trip_gives_equal_rows_and_equal_bytes(
    events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path, format: str, suffix: str
) -> None:
    path, again = tmp_path / f"events.{format}{suffix}", tmp_path / "again.ndjson"
    before = tmp_path / "before.ndjson"
    export_events(ExportOptions(str(before)), new_run("export"))
    export_events(ExportOptions(str(path), format), new_run("export"))
    forget_everything()
    run = new_run("import")
    assert import_events(ImportOptions([str(path)]), run) == 0
    assert +run.counts == {"stored": len(events)}
    assert rows() == events
    export_events(ExportOptions(str(again)), new_run("export"))
    assert again.read_bytes() == before.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted({path.name, again.name, before.name})


def test_line_has_names_and_no_ids_of_ours(events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path) -> None:
    export_events(ExportOptions(str(tmp_path / "events.ndjson")), new_run())
    found = map(json.loads, (tmp_path / "events.ndjson").read_text("utf-8").split("\n")[:-1])
    (first,) = [line for line in found if line.get("event_id")]
    event = Event.objects.get(event_id="evt_42")
    assert first["partner"] == 'a "partner"'
    assert event.api_key is not None
    assert first["api_key"] == event.api_key.prefix
    assert not {"partner_id", "api_key_id", "consent", "client_id"} & set(first)
    assert first["params"] == factories.SEED_EVENT["params"]
    assert datetime.fromisoformat(first["timestamp"]) == datetime(2025, 5, 26, 16, tzinfo=UTC)


def test_csv_has_no_formulas(events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path) -> None:
    export_events(ExportOptions(str(tmp_path / "events.csv"), "csv"), new_run())
    with (tmp_path / "events.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(events)
    texts = [cell for row in found for name, cell in row.items() if name not in ("geo_lat", "geo_lon")]
    assert not [cell for cell in texts if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert "'=1+1" in texts


def test_selection(events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path) -> None:
    def exported(**selection: Any) -> set[str]:
        export_events(ExportOptions(str(tmp_path / "out"), selection=Selection(**selection)), new_run())
        return {json.loads(line)["id"] for line in (tmp_path / "out").read_bytes().splitlines()}

    def expected(**lookups: Any) -> set[str]:
        return {str(id) for id in Event.objects.filter(**lookups).values_list("id", flat=True)}

    partner = Partner.objects.get(name="b\\ü")
    middle = events[len(events) // 2]["received_at"]
    assert exported(partner=partner) == expected(partner=partner) != expected()
    assert exported(tag="tag_1") == expected(tag_id="tag_1") != set()
    assert exported(event_name="items_added") == expected(event_name="items_added") != set()
    assert exported(since=middle) | exported(until=middle) == expected()
    assert exported(since=middle) & exported(until=middle) == set()
    assert exported(tag="none") == set()


def test_dry_run_writes_nothing(events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path) -> None:
    run = new_run(dry_run=True)
    export_events(ExportOptions(str(tmp_path / "out")), run)
    assert run.counts == {"exported": len(events)}
    assert list(tmp_path.iterdir()) == []


def test_pages_follow_each_other_without_gap(
    events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_events(ExportOptions(str(tmp_path / "whole")), new_run())
    for size in (1, 3, len(events) - 1, len(events)):
        monkeypatch.setattr(pages, "PAGE", size)
        export_events(ExportOptions(str(tmp_path / f"pages {size}")), new_run())
        assert (tmp_path / f"pages {size}").read_bytes() == (tmp_path / "whole").read_bytes()


def test_output_that_cannot_be_written(events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path) -> None:
    with pytest.raises(BackfillError, match="No such file"):
        export_events(ExportOptions(str(tmp_path / "no" / "file")), new_run())
    with pytest.raises(BackfillError, match="No space left"):
        export_events(ExportOptions("/dev/full"), new_run())
    with pytest.raises(BackfillError, match="compressed by itself"):
        export_events(ExportOptions(str(tmp_path / "a.zst"), "parquet"), new_run())


def test_unknown_partner_is_told() -> None:
    options = {"partner": "nobody", "tag": None, "event_name": None, "since": None, "until": None}
    with pytest.raises(CommandError, match="no partner 'nobody'"):
        Selection.of(options)


MANY = 48_000


@pytest.fixture
def many() -> None:
    api_key, _ = factories.key()
    source = factories.source(api_key)
    for start in range(0, MANY, 2000):
        ingest.write([factories.arrival(source, params={"number": start + n, "text": "x" * 300}) for n in range(2000)])


def test_killed_and_run_again_ends_as_if_it_had_run_once(command: Command, many: None, tmp_path: Path) -> None:
    whole, out, part = tmp_path / "whole", tmp_path / "out", tmp_path / "out.part"
    assert command("export_events", "--out", str(whole)).returncode == 0
    part.write_bytes(b"of something else")
    status = command.kill_when(
        lambda: part.exists() and part.stat().st_size > 1_000_000, "export_events", "--out", str(out)
    )
    assert status == -signal.SIGKILL
    assert not out.exists()
    done = command("export_events", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == whole.read_bytes()
    assert not Checkpoint.objects.exists()
    assert command("export_events", "--out", str(out)).returncode == 0
    assert out.read_bytes() == whole.read_bytes()


def test_part_of_another_selection_is_not_gone_on_with(
    events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 1)
    one, other = (ExportOptions(str(tmp_path / "out"), selection=Selection(partner=Partner.objects.get(name=name)))
                  for name in ('a "partner"', "b\\ü"))  # fmt: skip
    export_events(ExportOptions(str(tmp_path / "whole"), selection=one.selection), new_run("export"))
    advance = Run.advance

    def stopped_after_the_first(options: ExportOptions) -> None:
        def stop(self: Run, *arguments: Any) -> None:
            self.stop_asked = True
            advance(self, *arguments)

        with monkeypatch.context() as patched:
            patched.setattr(Run, "advance", stop)
            with pytest.raises(Stopped):
                export_events(options, new_run("export"))

    stopped_after_the_first(one)
    stopped_after_the_first(other)
    export_events(one, new_run("export"))
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0
    assert not Checkpoint.objects.exists()


def test_same_command_twice_at_a_time_is_refused(command: Command, many: None, tmp_path: Path) -> None:
    arguments = ("export_events", "--out", str(tmp_path / "out"))
    os.mkfifo(tmp_path / "out")
    first = command.start(*arguments)
    with (tmp_path / "out").open("rb") as reader:
        assert reader.read(1) == b"{"
        second = command(*arguments)
        assert (second.returncode, "running already" in second.stderr) == (1, True)
        while reader.read(1024 * 1024):
            pass
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_stopped_by_a_signal_it_goes_on_later(command: Command, many: None, tmp_path: Path) -> None:
    out, part = tmp_path / "out", tmp_path / "out.part"
    status = command.kill_when(
        lambda: part.exists() and part.stat().st_size > 1_000_000, "export_events", "--out", str(out), by=signal.SIGTERM
    )
    assert status == 143
    done = command("export_events", "--out", str(out))
    assert "Going on where" in done.stderr
    assert f"{MANY:,} exported" in done.stderr
    ids = [json.loads(line)["id"] for line in out.read_bytes().splitlines()]
    assert ids == [str(id) for id in Event.objects.order_by("id").values_list("id", flat=True)]


def test_standard_output_has_nothing_but_events_and_may_be_closed(
    command: Command, events: list[dict[str, Any]]
) -> None:
    done = command("export_events", "--out", "-")
    assert [json.loads(line)["id"] for line in done.stdout.split("\n")[:-1]] == [str(event["id"]) for event in events]
    process = command.start("export_events", "--out", "-")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.close()
    told = process.stderr.read()
    assert process.wait(60) == 1
    assert "nobody reads" in told
    assert "Traceback" not in told
    process.stderr.close()


def test_beside_live_traffic_it_comes_to_an_end(command: Command, server: Server, many: None, tmp_path: Path) -> None:
    api_key, raw_key = factories.key()
    process = command.start("export_events", "--out", str(tmp_path / "out.gz"))
    sent = send_beside(process, server, raw_key).total()
    ids = {json.loads(line)["id"] for line in gzip.decompress((tmp_path / "out.gz").read_bytes()).splitlines()}
    before = set(map(str, Event.objects.exclude(api_key=api_key).values_list("id", flat=True)))
    assert len(before) == MANY
    assert before <= ids
    assert Event.objects.filter(api_key=api_key).count() == sent


def test_compressed_files_are_what_they_say(events: list[dict[str, Any]], new_run: NewRun, tmp_path: Path) -> None:
    plains: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": gzip.decompress,
        ".zst": lambda packed: zstandard.ZstdDecompressor().decompressobj().decompress(packed),
    }
    for suffix, plain in plains.items():
        export_events(ExportOptions(str(tmp_path / f"out{suffix}")), new_run())
        content = (tmp_path / f"out{suffix}").read_bytes()
        assert plain(content).count(b"\n") == len(events)
