"""`manage.py seed_demo`: what it stores is what it tells, and it does not mix its events with real ones unasked."""

import io
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.utils import timezone
from time_machine import TimeMachineFixture

from collect.demo import making, profiles, traffic
from collect.demo.arriving import Made
from collect.demo.sending import NEW_BUILD
from collect.demo.traffic import Plan
from collect.models import Event, LateArrival, LedgerEntry, Rejection, RejectionTally
from collect.models.rejection import Build, RejectionCount, RejectionGroup
from collect.storage import store
from keys import crypto
from keys.models import ApiKey, KeyChange, Partner, State
from tests.harness import factories

pytestmark = pytest.mark.django_db

# A Thursday afternoon: what the demo has today depends on the hour.
NOW = datetime(2026, 11, 26, 15, 40, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_an_hour_of_work(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW)


OUTCOMES = ("stored", "duplicate", "conflict", "rejected")


def seed(*arguments: str) -> str:
    told = io.StringIO()
    call_command("seed_demo", "--events", "2000", *arguments, stdout=told)
    return told.getvalue()


@pytest.fixture
def made(db: None) -> Made:
    return making.make(Plan(3_000, 1, traffic.now()), lambda _: None)[0]


def test_rows_are_what_was_told(made: Made) -> None:
    stored = Counter(Event.objects.values_list("partner__name", flat=True))
    assert stored == {name: n for (name, outcome), n in made.outcomes.items() if outcome == "stored"}
    kept = Counter(Rejection.objects.values_list("partner__name", "code"))
    conflicts = {name: n for (name, outcome), n in made.outcomes.items() if outcome == "conflict"}
    assert {name: n for (name, code), n in kept.items() if code == "conflict"} == conflicts
    assert sum(kept.values()) == made.total("conflict", "rejected") == sum(tally.seen for tally in tallies())
    assert made.total() == made.total(*OUTCOMES)
    assert min(made.total(outcome) for outcome in ("duplicate", "conflict", "rejected")) > 0


def tallies() -> list[RejectionTally]:
    return list(RejectionTally.objects.all())


def ledger(*fields: str, **chosen: object) -> Counter[Any]:
    """The events of the ledger by these fields."""
    found: Counter[Any] = Counter()
    for *values, events in LedgerEntry.objects.filter(**chosen).values_list(*fields, "events"):
        found[tuple(values) if len(values) > 1 else values[0]] += events
    return found


def test_ledger_agrees_with_the_rows_minute_by_minute_and_what_came_in_with_what_became_of_it(made: Made) -> None:
    received = ledger("partner", "api_key", "is_test", "endpoint", "start", outcome="received")
    became = ledger("partner", "api_key", "is_test", "endpoint", "start", outcome__in=OUTCOMES)
    assert received == became
    assert received.total() == made.total()
    assert {outcome: made.total(outcome) for outcome in OUTCOMES} == {
        outcome: ledger("outcome")[outcome] for outcome in OUTCOMES
    }
    for minutes in (1, 60):
        stored = ledger("partner", "start", outcome="stored", minutes=minutes)
        since = min(start for _, start in stored)
        until = max(start for _, start in stored) + timedelta(minutes=minutes)
        rows = Event.objects.filter(received_at__gte=since, received_at__lt=until).values_list("partner", "received_at")
        assert Counter((partner, at - (at - since) % timedelta(minutes=minutes)) for partner, at in rows) == stored
    kept = Counter(Rejection.objects.values_list("code", flat=True))
    assert ledger("code", outcome__in=("conflict", "rejected")) == kept


def test_ledger_is_folded_as_the_server_folds_it_and_has_requests_bytes_and_knocks(made: Made) -> None:
    hours, minutes = (LedgerEntry.objects.filter(minutes=number).values_list("start", flat=True) for number in (60, 1))
    assert max(hours) < min(minutes)
    assert all(start.minute == 0 for start in hours)
    # The first event of the hour that is not folded yet need not be its first minute.
    assert timedelta(days=1, hours=20) < timezone.now() - min(minutes) < timedelta(days=2, hours=1, minutes=5)
    sums = LedgerEntry.objects.filter(outcome="received").values_list("endpoint")
    counted = {endpoint: rest for endpoint, *rest in sums.annotate(Sum("events"), Sum("requests"), Sum("bytes"))}
    assert counted["collect"][0] == counted["collect"][1]
    assert counted["batch"][0] > counted["batch"][1] > 0
    assert all(size > 100 * events for events, _, size in counted.values())
    knocks = LedgerEntry.objects.filter(outcome="turned_away")
    assert set(knocks.values_list("api_key__label", "code", "events")) == {("old storefront", "revoked", 0)}
    assert knocks.aggregate(sum=Sum("requests"))["sum"] == 216


def test_build_that_is_refused_is_named_and_the_groups_count_all_rejections(made: Made) -> None:
    assert sum(RejectionGroup.objects.values_list("count", flat=True)) == made.total("conflict", "rejected")
    assert sum(RejectionCount.objects.values_list("count", flat=True)) == made.total("conflict", "rejected")
    refused = RejectionGroup.objects.get(path="timestamp", message__contains="number", api_key__label="order service")
    builds = set(refused.counts.values_list("build__user_agent", flat=True))
    assert (builds, refused.first_seen) == ({NEW_BUILD}, made.refused[NEW_BUILD][0])
    assert Rejection.objects.filter(group=refused).exclude(user_agent=NEW_BUILD).count() == 0
    seen = {build.user_agent: build for build in Build.objects.filter(api_key__label="order service")}
    assert seen.keys() == {NEW_BUILD, profiles.NORTHWIND.agent}
    assert seen[NEW_BUILD].first_seen == refused.first_seen < seen[profiles.NORTHWIND.agent].last_seen
    sent = LedgerEntry.objects.filter(outcome="received").aggregate(sum=Sum("requests"))["sum"]
    assert sum(Build.objects.values_list("requests", flat=True)) == sent


def test_events_have_places_and_the_keys_were_used(made: Made) -> None:
    assert not Event.objects.filter(geo_city=None).exists()
    assert Event.objects.filter(is_test=True).exists()
    for key in ApiKey.objects.all():
        if key.state is State.REVOKED:
            assert key.last_used_at is None
            assert key.history.filter(what=KeyChange.What.REFUSED, detail=State.REVOKED).count() > 24
        else:
            assert key.last_used_at == made.last_used[key.pk]
            assert key.history.get(what=KeyChange.What.ISSUED).at == key.created_at < key.last_used_at
    assert {key.state for key in ApiKey.objects.all()} == {State.ACTIVE, State.EXPIRING, State.REVOKED}


def test_search_index_and_watchers_are_told_that_the_rows_are_old(made: Made) -> None:
    old = Event.objects.filter(received_at__lt=timezone.now() - timedelta(minutes=5)).count()
    assert old <= sum(LateArrival.objects.values_list("events", flat=True)) <= made.total("stored")


def test_key_of_the_tills_has_rejections_and_no_event(made: Made) -> None:
    key = ApiKey.objects.get(label="till export")
    assert not key.events.exists()
    assert set(key.rejections.values_list("code", flat=True)) == {"invalid_event"}


def test_command_tells_the_keys_and_where_to_look(db: None) -> None:
    told = seed()
    raw_keys = re.findall(r"thrad_\w+", told)
    assert {crypto.digest(raw_key) for raw_key in raw_keys} == {
        key.digest for key in ApiKey.objects.filter(revoked_at=None)
    }
    assert all(profile.name in told for profile in profiles.PROFILES)
    for name, page in re.findall(r"^  (.+): .*\n    /admin/partners/(\d+)/$", told, re.MULTILINE):
        assert Partner.objects.get(pk=page).name == name
    assert len(re.findall(r"^    /admin/", told, re.MULTILINE)) == 6
    assert f"{Event.objects.count():,}" in told


def test_database_with_events_is_left_alone_unless_forced(db: None) -> None:
    key, _ = factories.issue()
    store.write([factories.arrival(factories.source(key))])
    with pytest.raises(CommandError, match="events of 'Acme' here"):
        seed()
    assert (Event.objects.count(), Partner.objects.count()) == (1, 1)
    seed("--force")
    assert Event.objects.count() > 1_500
    assert key.events.count() == 1


def test_dry_run_tells_how_much_and_writes_nothing(db: None) -> None:
    told = seed("--dry-run")
    number = int(re.search(r"([\d,]+) events", told)[1].replace(",", ""))  # type: ignore[index]  # it is told
    assert not Partner.objects.exists()
    made, _ = making.make(Plan(2_000, 1, traffic.now()), lambda _: None)
    assert abs(made.total() - number) < 50  # the minute may have changed


def test_few_events_are_refused(db: None) -> None:
    with pytest.raises(CommandError, match="at least 2000"):
        call_command("seed_demo", "--events", "100")
