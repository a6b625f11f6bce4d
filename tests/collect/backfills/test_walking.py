"""`reenrich_events` and `derive_tags`: only rows that change, range by range, and where they were cut off."""

import signal
from datetime import UTC, datetime

import pytest
import time_machine

from collect.backfills import walk
from collect.backfills.deriving import derive_tags
from collect.backfills.reenriching import ReenrichOptions, reenrich_events
from collect.backfills.run import BackfillError, Run, Stopped
from collect.backfills.selection import Selection
from collect.enrichment import geo
from collect.models import Checkpoint, Event
from collect.storage import ingest
from tests.collect.backfills.conftest import send_beside
from tests.harness import databases, factories, mmdb

pytestmark = pytest.mark.django_db(transaction=True)

CURL = "curl/8.4.0"


@pytest.fixture
def city(tmp_path, settings):
    """A geo database that knows 81.2.69.0/24 as London and 8.8.8.0/24 as Oakland."""
    path = mmdb.write_city(tmp_path / "city.mmdb")
    settings.GEOIP_PATH = str(path)
    return path


@pytest.fixture
def source():
    return factories.source(factories.key()[0])


def store(*arrivals):
    ingest.write(arrivals)


def forget_browsers():
    Event.objects.update(ua_browser=None, ua_browser_version=None, ua_is_bot=None)


def stop_after_one_range(size, run, monkeypatch):
    monkeypatch.setattr(walk, "SQLITE_RANGE" if databases.is_sqlite() else "RANGE", size)
    run.stop_asked = True
    with pytest.raises(Stopped):
        reenrich_events(ReenrichOptions(), run)


def test_reenrich_changes_what_is_different_and_says_how(source, city, new_run, told):
    london = factories.source(factories.key()[0], ip_address="81.2.69.160")
    store(*(factories.arrival(london, user_agent=CURL) for _ in range(3)), factories.arrival(source, event_id="here"))
    store(factories.arrival(factories.source(factories.key()[0], ip_address=None), user_agent=CURL, event_id="nowhere"))
    forget_browsers()
    run = new_run()
    assert reenrich_events(ReenrichOptions(), run) == 0
    assert +run.counts == {"changed": 5}
    assert run.changes["geo_city: none → London"] == 3
    assert run.changes["ua_browser: none → curl"] == 4
    assert set(Event.objects.filter(ip_address="81.2.69.160").values_list("geo_country", "geo_lat", "ua_browser")) == {
        ("GB", 51.5142, "curl")
    }
    assert Event.objects.get(event_id="here").geo_city == "Berlin"
    nowhere = Event.objects.get(event_id="nowhere")
    assert (nowhere.geo_country, nowhere.ua_browser, nowhere.ua_is_bot) == (None, "curl", True)
    run.summary("events")
    assert "geo_city: none → London" in str(told)
    again = new_run()
    reenrich_events(ReenrichOptions(), again)
    assert +again.counts == {"unchanged": 5}


@pytest.mark.parametrize(("geo", "ua"), [(True, False), (False, True)])
def test_reenrich_only_one_of_the_two(source, city, new_run, geo, ua):
    store(factories.arrival(source, user_agent=CURL))
    forget_browsers()
    reenrich_events(ReenrichOptions(geo=geo, ua=ua), new_run())
    event = Event.objects.get()
    assert (event.geo_city, event.ua_browser) == ("Berlin" if geo else None, "curl" if ua else None)


def test_reenrich_only_missing_leaves_what_is_known(source, city, new_run):
    store(factories.arrival(source, event_id="known"), factories.arrival(source, event_id="missing"))
    Event.objects.filter(event_id="known").update(geo_country="FR")
    run = new_run()
    reenrich_events(ReenrichOptions(only_missing=True), run)
    assert +run.counts == {"changed": 1}
    assert dict(Event.objects.values_list("event_id", "geo_country")) == {"known": "FR", "missing": "DE"}


def test_reenrich_only_missing_leaves_the_known_part_of_an_event(source, city, new_run):
    store(factories.arrival(source, user_agent="MyBackend/1.0 (of nobody)"))
    Event.objects.update(geo_country="FR")
    reenrich_events(ReenrichOptions(only_missing=True), new_run())
    assert Event.objects.get().geo_country == "FR"


def test_reenrich_only_missing_tells_events_of_one_address_apart(source, city, new_run):
    arrivals = [factories.arrival(source, event_id=id, user_agent=CURL) for id in ("geo", "ua", "both", "none")]
    store(*arrivals)
    forget_browsers()
    Event.objects.filter(event_id__in=["geo", "none"]).update(ua_browser="kept")
    Event.objects.filter(event_id__in=["ua", "none"]).update(geo_country="FR")
    run = new_run()
    reenrich_events(ReenrichOptions(only_missing=True), run)
    assert run.counts["changed"] == 3
    assert dict(Event.objects.values_list("event_id", "geo_country")) == {
        "geo": "DE", "ua": "FR", "both": "DE", "none": "FR"
    }  # fmt: skip
    assert dict(Event.objects.values_list("event_id", "ua_browser")) == {
        "geo": "kept", "ua": "curl", "both": "curl", "none": "kept"
    }  # fmt: skip


def test_reenrich_keeps_what_it_cannot_look_up_any_more(source, city, new_run):
    store(factories.arrival(factories.source(factories.key()[0], ip_address=None)))
    Event.objects.update(geo_country="FR", ua_browser="Firefox")
    run = new_run()
    reenrich_events(ReenrichOptions(), run)
    assert +run.counts == {"unchanged": 1}
    assert Event.objects.values_list("geo_country", "ua_browser").get() == ("FR", "Firefox")


def test_reenrich_stops_where_the_geo_database_breaks_meanwhile(source, city, new_run, monkeypatch, settings):
    store(factories.arrival(source))
    Event.objects.update(geo_country="FR")
    lookup = geo.lookup

    def broken(address):
        city.write_bytes(b"cut")
        geo.file_at(settings.GEOIP_PATH).check()
        return lookup(address)

    monkeypatch.setattr(geo, "lookup", broken)
    with pytest.raises(BackfillError, match="cannot be read"):
        reenrich_events(ReenrichOptions(), new_run())
    assert Event.objects.get().geo_country == "FR"


def test_reenrich_begins_anew_with_another_geo_database(source, city, new_run, monkeypatch, settings):
    store(*(factories.arrival(source) for _ in range(3)))
    stop_after_one_range(1, new_run(), monkeypatch)
    with time_machine.travel(datetime(2027, 1, 1, tzinfo=UTC), tick=False):
        mmdb.write_city(city, {"127.0.0.0/8": mmdb.LONDON})
    geo.file_at(settings.GEOIP_PATH).check()
    again = new_run()
    reenrich_events(ReenrichOptions(), again)
    assert again.counts["changed"] == 3
    assert set(Event.objects.values_list("geo_city", flat=True)) == {"London"}


def test_reenrich_reads_no_more_of_a_user_agent_than_the_endpoint_does(source, city, new_run):
    agents = [CURL + "x" * 3000 + end for end in ("a", "b")]
    store(*(factories.arrival(source, user_agent=agent) for agent in agents))
    before = list(Event.objects.values_list("ua_browser", "ua_is_bot"))
    forget_browsers()
    run = new_run()
    reenrich_events(ReenrichOptions(geo=False), run)
    assert run.counts["changed"] == 2
    assert list(Event.objects.values_list("ua_browser", "ua_is_bot")) == before


def test_reenrich_without_a_geo_database_empties_nothing(source, tmp_path, settings, new_run):
    settings.GEOIP_PATH = str(tmp_path / "none.mmdb")
    store(factories.arrival(source))
    Event.objects.update(geo_country="FR")
    with pytest.raises(BackfillError, match="no such file"):
        reenrich_events(ReenrichOptions(), new_run())
    assert Event.objects.get().geo_country == "FR"


def test_dry_runs_write_nothing(source, city, new_run):
    store(factories.arrival(source, user_agent=CURL, page_url="https://shop.example/"))
    Event.objects.update(tag_id="site:old")
    before = Event.objects.values().get()
    one, other = new_run(dry_run=True), new_run(dry_run=True)
    reenrich_events(ReenrichOptions(), one)
    derive_tags(Selection(), other)
    assert one.counts["changed"] == other.counts["changed"] == 1
    assert Event.objects.values().get() == before


def test_derive_changes_derived_tags_only(source, new_run):
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


def test_derive_leaves_a_tag_that_another_event_has(source, new_run):
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


def test_stopped_between_two_ranges_it_goes_on_there(source, city, monkeypatch, new_run):
    monkeypatch.setattr(walk, "SQLITE_RANGE" if databases.is_sqlite() else "RANGE", 2)
    store(*(factories.arrival(source) for _ in range(5)))
    run = new_run()
    advance = Run.advance

    def stop_after_the_first(self, *arguments):
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


def test_restart_begins_anew(source, city, monkeypatch, new_run):
    store(*(factories.arrival(source) for _ in range(5)))
    stop_after_one_range(2, new_run(), monkeypatch)
    anew = new_run(restart=True)
    reenrich_events(ReenrichOptions(), anew)
    assert +anew.counts == {"unchanged": 2, "changed": 3}


MANY = 12_000


@pytest.fixture
def many(source, city, command):
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
def test_killed_and_run_again_changes_every_row_once(command, many, name, done):
    changed = Event.objects.filter(**done)
    assert command.kill_when(changed.exists, name) == -signal.SIGKILL
    assert 0 < changed.count() < MANY
    again = command(name)
    assert again.returncode == 0, again.stderr
    assert f"{MANY:,} changed" in again.stderr
    assert changed.count() == Event.objects.count() == MANY
    assert f"{MANY:,} unchanged" in command(name).stderr


@pytest.mark.parametrize("name", ["reenrich_events", "derive_tags"])
def test_beside_live_traffic_every_event_is_taken(command, server, many, name):
    api_key, raw_key = factories.key()
    process = command.start(name)
    sent = send_beside(process, server, raw_key).total()
    assert Event.objects.filter(api_key=api_key).count() == sent
    assert command("reenrich_events", "--since", "someday").returncode == 2
    assert command("derive_tags", "--partner", "nobody").returncode == 1
