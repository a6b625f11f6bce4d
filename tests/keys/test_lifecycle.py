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
