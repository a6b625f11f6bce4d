"""`manage.py seed_demo`: what it stores is what it tells, and it does not mix its events with real ones unasked."""

import io
import re
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from collect.demo import making, profiles, traffic
from collect.demo.arriving import Made
from collect.demo.traffic import Plan
from collect.models import Event, Rejection, RejectionTally
from collect.storage import store
from keys import crypto
from keys.models import ApiKey, KeyChange, Partner, State
from tests.harness import factories

pytestmark = pytest.mark.django_db


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
    assert made.total() == made.total("stored", "duplicate", "conflict", "rejected")
    assert min(made.total(outcome) for outcome in ("duplicate", "conflict", "rejected")) > 0


def tallies() -> list[RejectionTally]:
    return list(RejectionTally.objects.all())


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
