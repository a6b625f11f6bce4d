"""`derive_tags`, and how every walk over stored events goes on where it was cut off."""

import signal
from pathlib import Path
from typing import Any

import pytest

from collect.backfills import walk
from collect.backfills.deriving import derive_tags
from collect.backfills.reenriching import ReenrichOptions, reenrich_events
from collect.backfills.run import Run, Stopped
from collect.backfills.selection import Selection
from collect.intake.source import Source
from collect.models import Checkpoint, Event
from collect.storage import ingest
from tests.collect.backfills.runs import Command, NewRun, send_beside
from tests.collect.backfills.walks import CURL, stop_after_one_range, store
from tests.harness import databases, factories
from tests.harness.server import Server

pytestmark = pytest.mark.django_db(transaction=True)


def test_dry_runs_write_nothing(source: Source, city: Path, new_run: NewRun) -> None:
    store(factories.arrival(source, user_agent=CURL, page_url="https://shop.example/"))
    Event.objects.update(tag_id="site:old")
    before = Event.objects.values().get()
    one, other = new_run(dry_run=True), new_run(dry_run=True)
    reenrich_events(ReenrichOptions(), one)
    derive_tags(Selection(), other)
    assert one.counts["changed"] == other.counts["changed"] == 1
    assert Event.objects.values().get() == before


def test_derive_changes_derived_tags_only(source: Source, new_run: NewRun) -> None:
    page = {"page_url": "https://www.shop.example/cart"}
    store(
        factories.arrival(source, **page, event_id="derived"),
        factories.arrival(source, **page, event_id="sent", tag_id="site:old"),
        factories.arrival(factories.source(factories.key()[0], origin="https://a.example"), event_id="by origin"),
    )
    Event.objects.filter(event_id="derived").update(tag_id="site:old")
    run = new_run()
    assert derive_tags(Selection(), run) == 0
    assert +run.counts == {"changed": 1, "unchanged": 1}
    assert run.changes == {"site:old → site:www.shop.example": 1}
    assert dict(Event.objects.values_list("event_id", "tag_id")) == {
        "derived": "site:www.shop.example", "sent": "site:old", "by origin": "site:a.example"
    }  # fmt: skip


def test_derive_leaves_a_tag_that_another_event_has(source: Source, new_run: NewRun) -> None:
    page = {"page_url": "https://shop.example/"}
    store(*(factories.arrival(source, **page, event_id=id) for id in ("a", "b", "c")))
    Event.objects.update(tag_id="site:old")
    store(factories.arrival(source, **page, event_id="b"))
    dry = new_run(dry_run=True)
    assert derive_tags(Selection(), dry) == 1
    assert dry.counts["changed"] == 2
    run = new_run()
    assert derive_tags(Selection(), run) == 1
    assert run.counts["changed"] == 2
    assert sorted(Event.objects.values_list("event_id", "tag_id")) == [
        ("a", "site:shop.example"), ("b", "site:old"), ("b", "site:shop.example"), ("c", "site:shop.example")
    ]  # fmt: skip


def test_stopped_between_two_ranges_it_goes_on_there(
    source: Source, city: Path, monkeypatch: pytest.MonkeyPatch, new_run: NewRun
) -> None:
    monkeypatch.setattr(walk, "SQLITE_RANGE" if databases.is_sqlite() else "RANGE", 2)
    store(*(factories.arrival(source) for _ in range(5)))
    run = new_run()
    advance = Run.advance

    def stop_after_the_first(self: Run, *arguments: Any) -> None:
        self.stop_asked = True
        advance(self, *arguments)

    monkeypatch.setattr(Run, "advance", stop_after_the_first)
    with pytest.raises(Stopped):
        reenrich_events(ReenrichOptions(), run)
    monkeypatch.setattr(Run, "advance", advance)
    assert Event.objects.filter(geo_city="Berlin").count() == 2
    store(factories.arrival(factories.source(factories.key()[0]), event_id="later"))
    rest = new_run()
    reenrich_events(ReenrichOptions(), rest)
    assert rest.counts["changed"] == 5
    assert Event.objects.get(event_id="later").geo_city is None
    assert not Checkpoint.objects.exists()


def test_restart_begins_anew(source: Source, city: Path, monkeypatch: pytest.MonkeyPatch, new_run: NewRun) -> None:
    store(*(factories.arrival(source) for _ in range(5)))
    stop_after_one_range(2, new_run(), monkeypatch)
    anew = new_run(restart=True)
    reenrich_events(ReenrichOptions(), anew)
    assert +anew.counts == {"unchanged": 2, "changed": 3}


MANY = 12_000


@pytest.fixture
def many(source: Source, city: Path, command: Command) -> None:
    command.environment["GEOIP_PATH"] = str(city)
    for start in range(0, MANY, 2000):
        events = (
            factories.arrival(source, page_url="https://shop.example/", params={"n": start + n}) for n in range(2000)
        )
        ingest.write(list(events))
    Event.objects.update(tag_id="site:old")


@pytest.mark.parametrize(
    ("name", "done"), [("reenrich_events", {"geo_city": "Berlin"}), ("derive_tags", {"tag_id": "site:shop.example"})]
)
def test_killed_and_run_again_changes_every_row_once(
    command: Command, many: None, name: str, done: dict[str, str]
) -> None:
    changed = Event.objects.filter(**done)
    assert command.kill_when(changed.exists, name) == -signal.SIGKILL
    assert 0 < changed.count() < MANY
    again = command(name)
    assert again.returncode == 0, again.stderr
    assert f"{MANY:,} changed" in again.stderr
    assert changed.count() == Event.objects.count() == MANY
    assert f"{MANY:,} unchanged" in command(name).stderr


@pytest.mark.parametrize("name", ["reenrich_events", "derive_tags"])
def test_beside_live_traffic_every_event_is_taken(command: Command, server: Server, many: None, name: str) -> None:
    api_key, raw_key = factories.key()
    process = command.start(name)
    sent = send_beside(process, server, raw_key).total()
    assert Event.objects.filter(api_key=api_key).count() == sent
    assert command("reenrich_events", "--since", "someday").returncode == 2
    assert command("derive_tags", "--partner", "nobody").returncode == 1
