"""`reenrich_events`: places and user agents by today's rules, and nothing that was known is lost."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from pytest_django import Settings

from collect.backfills.reenriching import ReenrichOptions, reenrich_events
from collect.backfills.run import BackfillError
from collect.enrichment import geo
from collect.enrichment.city import Geo
from collect.intake.source import Source
from collect.models import Event
from tests.collect.backfills.runs import NewRun, Told
from tests.collect.backfills.walks import CURL, forget_browsers, stop_after_one_range, store
from tests.harness import factories, mmdb

pytestmark = pytest.mark.django_db(transaction=True)


def test_reenrich_changes_what_is_different_and_says_how(
    source: Source, city: Path, new_run: NewRun, told: Told
) -> None:
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
    assert (nowhere.geo_country, nowhere.ua_browser, nowhere.ua_is_bot) == (None, "curl", False)
    assert nowhere.ua_bot_reason == "http_library"
    run.summary("events")
    assert "geo_city: none → London" in str(told)
    again = new_run()
    reenrich_events(ReenrichOptions(), again)
    assert +again.counts == {"unchanged": 5}


@pytest.mark.parametrize(("geo", "ua"), [(True, False), (False, True)])
def test_reenrich_only_one_of_the_two(source: Source, city: Path, new_run: NewRun, geo: bool, ua: bool) -> None:
    store(factories.arrival(source, user_agent=CURL))
    forget_browsers()
    reenrich_events(ReenrichOptions(geo=geo, ua=ua), new_run())
    event = Event.objects.get()
    assert (event.geo_city, event.ua_browser) == ("Berlin" if geo else None, "curl" if ua else None)


def test_reenrich_gives_rows_of_the_version_before_their_reason(source: Source, new_run: NewRun) -> None:
    """They have no reason, and a library or a phone with an odd name was called a bot."""
    phone = "Mozilla/5.0 (Linux; Android 13; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114 Safari/537.36"
    agents = {"crawler": "AhrefsBot/7.0", "library": CURL, "phone": phone, "none": None}
    store(*(factories.arrival(source, event_id=id, user_agent=agent) for id, agent in agents.items()))
    Event.objects.exclude(user_agent=None).update(ua_is_bot=True, ua_bot_reason=None)
    run = new_run()
    reenrich_events(ReenrichOptions(geo=False), run)
    assert +run.counts == {"changed": 3, "unchanged": 1}
    assert run.changes["ua_bot_reason: none → http_library"] == 1
    assert run.changes["ua_is_bot: True → False"] == 2
    assert set(Event.objects.values_list("event_id", "ua_is_bot", "ua_bot_reason")) == {
        ("crawler", True, "crawler"), ("library", False, "http_library"), ("phone", False, None), ("none", None, None)
    }  # fmt: skip


def test_reenrich_only_missing_leaves_what_is_known(source: Source, city: Path, new_run: NewRun) -> None:
    store(factories.arrival(source, event_id="known"), factories.arrival(source, event_id="missing"))
    Event.objects.filter(event_id="known").update(geo_country="FR")
    run = new_run()
    reenrich_events(ReenrichOptions(only_missing=True), run)
    assert +run.counts == {"changed": 1}
    assert dict(Event.objects.values_list("event_id", "geo_country")) == {"known": "FR", "missing": "DE"}


def test_reenrich_only_missing_leaves_the_known_part_of_an_event(source: Source, city: Path, new_run: NewRun) -> None:
    store(factories.arrival(source, user_agent="MyBackend/1.0 (of nobody)"))
    Event.objects.update(geo_country="FR")
    reenrich_events(ReenrichOptions(only_missing=True), new_run())
    assert Event.objects.get().geo_country == "FR"


def test_reenrich_only_missing_tells_events_of_one_address_apart(source: Source, city: Path, new_run: NewRun) -> None:
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


def test_reenrich_keeps_what_it_cannot_look_up_any_more(source: Source, city: Path, new_run: NewRun) -> None:
    store(factories.arrival(factories.source(factories.key()[0], ip_address=None)))
    Event.objects.update(geo_country="FR", ua_browser="Firefox")
    run = new_run()
    reenrich_events(ReenrichOptions(), run)
    assert +run.counts == {"unchanged": 1}
    assert Event.objects.values_list("geo_country", "ua_browser").get() == ("FR", "Firefox")


def test_reenrich_stops_where_the_geo_database_breaks_meanwhile(
    source: Source, city: Path, new_run: NewRun, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    store(factories.arrival(source))
    Event.objects.update(geo_country="FR")
    lookup = geo.lookup

    def broken(address: str | None) -> Geo:
        city.write_bytes(b"cut")
        geo.file_at(settings.GEOIP_PATH).check()
        return lookup(address)

    monkeypatch.setattr(geo, "lookup", broken)
    with pytest.raises(BackfillError, match="cannot be read"):
        reenrich_events(ReenrichOptions(), new_run())
    assert Event.objects.get().geo_country == "FR"


def test_reenrich_begins_anew_with_another_geo_database(
    source: Source, city: Path, new_run: NewRun, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    store(*(factories.arrival(source) for _ in range(3)))
    stop_after_one_range(1, new_run(), monkeypatch)
    with time_machine.travel(datetime(2027, 1, 1, tzinfo=UTC), tick=False):
        mmdb.write_city(city, {"127.0.0.0/8": mmdb.LONDON})
    geo.file_at(settings.GEOIP_PATH).check()
    again = new_run()
    reenrich_events(ReenrichOptions(), again)
    assert again.counts["changed"] == 3
    assert set(Event.objects.values_list("geo_city", flat=True)) == {"London"}


def test_reenrich_reads_no_more_of_a_user_agent_than_the_endpoint_does(
    source: Source, city: Path, new_run: NewRun
) -> None:
    agents = [CURL + "x" * 3000 + end for end in ("a", "b")]
    store(*(factories.arrival(source, user_agent=agent) for agent in agents))
    before = list(Event.objects.values_list("ua_browser", "ua_is_bot"))
    forget_browsers()
    run = new_run()
    reenrich_events(ReenrichOptions(geo=False), run)
    assert run.counts["changed"] == 2
    assert list(Event.objects.values_list("ua_browser", "ua_is_bot")) == before


def test_reenrich_without_a_geo_database_empties_nothing(
    source: Source, tmp_path: Path, settings: Settings, new_run: NewRun
) -> None:
    settings.GEOIP_PATH = str(tmp_path / "none.mmdb")
    store(factories.arrival(source))
    Event.objects.update(geo_country="FR")
    with pytest.raises(BackfillError, match="no such file"):
        reenrich_events(ReenrichOptions(), new_run())
    assert Event.objects.get().geo_country == "FR"
