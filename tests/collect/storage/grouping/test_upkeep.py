"""Groups as time goes by: what is old is folded, what is silent is resolved, and nothing is lost or counted twice."""

from datetime import UTC, datetime, timedelta

import pytest

from collect.intake import contract
from collect.models import RejectionCount, RejectionGroup
from collect.storage import rejections
from collect.storage.grouping import builds, upkeep
from collect.storage.rejections import Record
from keys.models import ApiKey
from tests.harness import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 26, 12, 0, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def key() -> ApiKey:
    return factories.key()[0]


def refuse(key: ApiKey, at: datetime, build: str = "svc/1", field: str = "event_name") -> None:
    meta = {"HTTP_USER_AGENT": build}
    send(key, at, build)
    source = factories.source(key, received_at=at, meta=meta)
    rejections.keep([Record.of_refusal(contract.invalid_event({field: ["required"]}), source, b"{}", "r")])


def send(key: ApiKey, at: datetime, build: str = "svc/1") -> None:
    builds.count(key.pk, {"HTTP_USER_AGENT": build}, at)
    builds.write()


def state() -> tuple[datetime | None, str]:
    group = RejectionGroup.objects.get()
    return group.resolved_at, group.resolved_by


def test_old_minutes_become_hours_with_the_same_sums(key: ApiKey) -> None:
    old = (NOW - 3 * DAY).replace(minute=0, second=0)
    for minute, build in ((50, "svc/1"), (7, "svc/1"), (7, "svc/2"), (60, "svc/1")):
        refuse(key, old + timedelta(minutes=minute, seconds=9), build)
    refuse(key, old + timedelta(minutes=8), "svc/1", field="tag_id")
    refuse(key, NOW)
    upkeep.look_after(NOW)
    upkeep.look_after(NOW)
    found = RejectionCount.objects.values_list("group__path", "build__user_agent", "start", "minutes", "count")
    assert sorted(found) == [
        ("event_name", "svc/1", old, 60, 2),
        ("event_name", "svc/1", old + HOUR, 60, 1),
        ("event_name", "svc/1", NOW.replace(second=0), 1, 1),
        ("event_name", "svc/2", old, 60, 1),
        ("tag_id", "svc/1", old, 60, 1),
    ]
    first = RejectionCount.objects.get(group__path="event_name", start=old, build__user_agent="svc/1").first_seen
    assert first == old + timedelta(minutes=7, seconds=9)


def test_what_comes_late_is_added_to_its_hour(key: ApiKey) -> None:
    old = (NOW - 3 * DAY).replace(minute=0, second=0)
    for _ in range(2):
        refuse(key, old + timedelta(minutes=4))
        upkeep.look_after(NOW)
    assert RejectionCount.objects.get().count == 2


def test_silent_group_is_resolved_once_its_key_went_on_for_a_day(key: ApiKey) -> None:
    refuse(key, NOW - 2 * DAY)
    upkeep.look_after(NOW)
    assert state() == (None, ""), "the key was silent too"
    send(key, NOW - DAY - HOUR)
    upkeep.look_after(NOW)
    assert state() == (None, ""), "the key did not go on for a day"
    send(key, NOW - HOUR)
    upkeep.look_after(NOW - DAY - HOUR)
    assert state() == (None, ""), "it was not silent for a day then"
    upkeep.look_after(NOW)
    assert state() == (NOW, "")


def test_resolved_group_stays_as_it_was_and_a_regressed_one_is_resolved_again(key: ApiKey) -> None:
    refuse(key, NOW - 4 * DAY)
    RejectionGroup.objects.update(resolved_at=NOW - 3 * DAY, resolved_by="olga")
    send(key, NOW)
    upkeep.look_after(NOW)
    assert state() == (NOW - 3 * DAY, "olga")
    refuse(key, NOW - 2 * DAY)
    upkeep.look_after(NOW)
    assert state() == (NOW, "")


def test_another_key_that_sends_resolves_nothing(key: ApiKey) -> None:
    refuse(key, NOW - 2 * DAY)
    send(factories.key()[0], NOW)
    upkeep.look_after(NOW)
    assert state() == (None, "")
