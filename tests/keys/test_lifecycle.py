"""keys.lifecycle: issue and revoke."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from time_machine import TimeMachineFixture

from keys import crypto, directory, lifecycle
from keys.history import Actor
from keys.models import ApiKey
from tests.harness import factories
from tests.harness.values import some

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("is_test", [True, False])
def test_issue_stores_prefix_and_digest_and_no_more(is_test: bool) -> None:
    key, raw_key = factories.issue(is_test=is_test)
    stored = ApiKey.objects.values().get(pk=key.pk)
    assert stored["prefix"] == crypto.parse(raw_key)
    assert stored["digest"] == crypto.digest(raw_key)
    assert raw_key not in repr(stored)
    assert raw_key[-49:-6] not in repr(stored) + repr(vars(key))


def test_issue_refuses_a_key_that_was_issued() -> None:
    key, _ = factories.issue()
    digest = key.digest
    with pytest.raises(ValueError, match="has been issued"):
        lifecycle.issue(key, factories.ACTOR)
    key.refresh_from_db()
    assert key.digest == digest


def test_revoke_notes_when_and_who() -> None:
    user = User.objects.create_user("op")
    key, _ = factories.issue()
    before = timezone.now()
    assert lifecycle.revoke(key, Actor("op", user)) is True
    assert before <= some(key.revoked_at) <= timezone.now()
    assert key.revoked_by == user


def test_revoke_twice_changes_nothing(time_machine: TimeMachineFixture) -> None:
    first, second = User.objects.create_user("first"), User.objects.create_user("second")
    key, _ = factories.issue()
    lifecycle.revoke(key, Actor("first", first))
    revoked_at = key.revoked_at
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    assert lifecycle.revoke(ApiKey.objects.get(pk=key.pk), Actor("second", second)) is False
    key.refresh_from_db()
    assert (key.revoked_at, key.revoked_by) == (revoked_at, first)


def test_revoke_from_a_stale_row_keeps_the_first(time_machine: TimeMachineFixture) -> None:
    key, _ = factories.issue()
    stale = ApiKey.objects.get(pk=key.pk)
    lifecycle.revoke(key, factories.ACTOR)
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    assert lifecycle.revoke(stale, factories.ACTOR) is False
    assert stale.revoked_at == key.revoked_at


def test_revoke_is_seen_by_this_process_at_once() -> None:
    key, _ = factories.issue()
    assert some(directory.find(key.prefix)).is_active()
    lifecycle.revoke(key, factories.ACTOR)
    assert not some(directory.find(key.prefix)).is_active()


# --- captures ---


def test_capture_is_ordered_and_noted() -> None:
    key, _ = factories.issue()
    before = timezone.now()
    lifecycle.capture(key, Actor("olga"), 20)
    stored = ApiKey.objects.get()
    assert stored.capture_left == 20
    assert before + lifecycle.CAPTURE_TIME <= some(stored.capture_until) <= timezone.now() + lifecycle.CAPTURE_TIME
    line = stored.history.filter(what="capture").get()
    assert line.by_name == "olga"
    assert line.detail.startswith("the next 20 requests, until ")


@pytest.mark.parametrize("requests", [-1, 0, 101])
def test_capture_of_a_number_out_of_bounds_is_refused(requests: int) -> None:
    key, _ = factories.issue()
    with pytest.raises(ValueError, match="1 to 100"):
        lifecycle.capture(key, factories.ACTOR, requests)
    assert ApiKey.objects.get().capture_left == 0


def test_capture_is_seen_by_this_process_at_once_and_by_others_when_they_look() -> None:
    key, _ = factories.issue()
    others = directory.Directory()
    known = [some(find(key.prefix)) for find in (directory.find, others.find)]
    assert [one.capture_left for one in known] == [0, 0]
    lifecycle.capture(key, factories.ACTOR, 3)
    assert some(directory.find(key.prefix)).capture_left == 3
    assert some(others.find(key.prefix)).capture_left == 0
    assert others.refresh()
    assert some(others.find(key.prefix)).capture_left == 3


def test_capture_is_stopped_and_noted_once() -> None:
    key, _ = factories.issue()
    lifecycle.capture(key, factories.ACTOR, 3)
    assert lifecycle.stop_capture([key.pk], Actor("olga")) == [key]
    assert lifecycle.stop_capture([key.pk], Actor("olga")) == []
    assert ApiKey.objects.get().capture_left == 0
    assert [line.by_name for line in key.history.filter(detail__startswith="stopped")] == ["olga"]


def test_saving_a_key_that_was_read_before_does_not_end_its_capture() -> None:
    key, _ = factories.issue()
    stale = ApiKey.objects.get()
    lifecycle.capture(key, factories.ACTOR, 3)
    stale.label = "another"
    lifecycle.change(stale, factories.ACTOR)
    assert ApiKey.objects.get().capture_left == 3
