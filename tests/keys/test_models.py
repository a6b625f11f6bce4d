"""keys.models: what a key may become."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from time_machine import TimeMachineFixture

from keys import lifecycle
from keys.models import ApiKey, Partner, State
from tests.harness import factories

pytestmark = pytest.mark.django_db


def test_partner_name_is_unique() -> None:
    factories.partner("Acme")
    with pytest.raises(IntegrityError), transaction.atomic():
        Partner.objects.create(name="Acme")


def test_partner_name_differs_by_more_than_case_from_names_that_were_there() -> None:
    one, other = factories.partner("Acme"), factories.partner("ACME")
    for name in ("acme", " Acme", "\uff21cme"):
        with pytest.raises(ValidationError, match="names must differ by more than case"):
            Partner(name=name).full_clean()
    one.full_clean()
    other.name = "acme"
    with pytest.raises(ValidationError, match="names must differ by more than case"):
        other.full_clean()
    other.name = "Another"
    other.full_clean()


def test_partner_with_keys_cannot_be_deleted() -> None:
    key, _ = factories.issue()
    with pytest.raises(ProtectedError):
        key.partner.delete()


def test_key_outlives_the_user_who_made_it() -> None:
    user = User.objects.create_user("op")
    key, _ = factories.issue(created_by=user)
    user.delete()
    key.refresh_from_db()
    assert key.created_by is None


@pytest.mark.parametrize(("is_test", "prefix"), [(True, "thrad_live_x"), (False, "thrad_test_x"), (False, "x")])
def test_key_must_be_of_the_kind_that_its_prefix_tells(is_test: bool, prefix: str) -> None:
    key = ApiKey(partner=factories.partner(), prefix=prefix, digest="0" * 64, label="x", is_test=is_test)
    with pytest.raises(IntegrityError), transaction.atomic():
        key.save()


def test_key_prefix_is_unique() -> None:
    key, _ = factories.issue()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(partner=key.partner, prefix=key.prefix, digest="0" * 64, label="x")


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (factories.issue, State.ACTIVE),
        (lambda: factories.issue(expires_at=timezone.now() + timedelta(days=8)), State.ACTIVE),
        (lambda: factories.issue(expires_at=timezone.now() + timedelta(days=6)), State.EXPIRING),
        (factories.expired, State.EXPIRED),
        (factories.revoked, State.REVOKED),
        (lambda: factories.revoked(expires_at=timezone.now() - timedelta(hours=1)), State.REVOKED),
    ],
)
def test_key_state_is_one_word_and_the_query_agrees(make: Callable[[], tuple[ApiKey, str]], state: State) -> None:
    key, _ = make()
    assert key.state == state
    assert key.is_active() is (state in (State.ACTIVE, State.EXPIRING))
    assert [other for other in State if ApiKey.objects.in_state(other).filter(pk=key.pk)] == [state]


def test_key_expires_at_the_moment_itself(time_machine: TimeMachineFixture) -> None:
    moment = timezone.now() + timedelta(hours=1)
    key, _ = factories.issue(expires_at=moment)
    states = []
    for now in (moment - timedelta(seconds=1), moment):
        time_machine.move_to(now, tick=False)
        states.append(key.state)
    assert states == [State.EXPIRING, State.EXPIRED]


def test_key_saved_from_a_stale_form_stays_revoked() -> None:
    key, _ = factories.issue()
    stale = ApiKey.objects.get(pk=key.pk)
    lifecycle.revoke(key, factories.ACTOR)
    stale.label = "renamed"
    stale.digest = "0" * 64
    stale.save()
    key.refresh_from_db()
    assert (key.label, key.state) == ("renamed", State.REVOKED)
    assert key.digest != "0" * 64


def test_key_born_expired_is_a_mistake_but_may_be_ended_by_its_expiry() -> None:
    past = timezone.now() - timedelta(minutes=1)
    with pytest.raises(ValidationError, match="has passed"):
        ApiKey(partner=factories.partner(), label="x", expires_at=past).full_clean(exclude=["prefix", "digest"])
    key, _ = factories.issue()
    key.expires_at = past
    key.full_clean()


def test_key_has_no_permission_to_delete() -> None:
    codenames = Permission.objects.filter(content_type__app_label="keys").values_list("codename", flat=True)
    assert "delete_apikey" not in codenames
    assert {"add_apikey", "change_apikey", "view_apikey"} <= set(codenames)


def test_key_reads_as_prefix_and_label() -> None:
    key, _ = factories.issue(label="shop")
    assert str(key) == f"{key.prefix} (shop)"
