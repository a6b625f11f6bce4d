"""Files of exports by a version that knew fewer columns."""

import csv
import io
from pathlib import Path

import pytest

from collect.backfills.exporting import ExportOptions, export_events
from collect.backfills.formats import exported, pages
from collect.backfills.importing import ImportOptions, import_events
from collect.backfills.run import Stopped
from collect.intake.source import Source
from collect.models import Event
from tests.collect.backfills.runs import NewRun
from tests.collect.backfills.walks import store
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)

COLUMNS = ("event_id", "user_agent", "ua_is_bot", "ua_bot_reason")


@pytest.fixture
def events(source: Source) -> None:
    """A bot's and a person's."""
    store(factories.arrival(source, event_id="bot", user_agent="AhrefsBot/7.0"))
    store(factories.arrival(source, event_id="person", user_agent="Mozilla/5.0 Firefox/121.0"))


def without_reason(text: str, format: str) -> str:
    """What the version before would have written."""
    if format == "ndjson":
        assert '"ua_bot_reason":"crawler"' in text
        return text.replace(',"ua_bot_reason":"crawler"', "")
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    columns = [name for name in found[0] if name != "ua_bot_reason"]
    assert len(columns) == len(found[0]) - 1
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


@pytest.mark.parametrize("format", ["ndjson", "csv"])
def test_export_of_the_version_before_comes_back_without_what_it_lacks(
    events: None, new_run: NewRun, tmp_path: Path, format: str
) -> None:
    path = tmp_path / f"events.{format}"
    export_events(ExportOptions(str(path), format), new_run("export"))
    path.write_bytes(without_reason(path.read_bytes().decode(), format).encode())
    Event.objects.all().delete()
    assert import_events(ImportOptions([str(path)]), new_run("import")) == 0
    assert set(Event.objects.values_list(*COLUMNS)) == {
        ("bot", "AhrefsBot/7.0", True, None),
        ("person", "Mozilla/5.0 Firefox/121.0", False, None),
    }


def test_table_that_another_version_began_is_not_gone_on_with(
    events: None, new_run: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = (ExportOptions(str(tmp_path / name), "csv") for name in ("whole", "out"))
    monkeypatch.setattr(pages, "PAGE", 1)
    export_events(whole, new_run("export"))
    stopped = new_run("export")
    stopped.stop_asked = True  # after a page
    with monkeypatch.context() as patched:
        patched.setattr(exported, "FIELDS", [name for name in exported.FIELDS if name != "ua_bot_reason"])
        with pytest.raises(Stopped):
            export_events(out, stopped)
    export_events(out, new_run("export"))
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
