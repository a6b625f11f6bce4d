"""Revoking keys through the real pages: it asks first, and is recorded."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from keys import lifecycle
from keys.models import ApiKey, KeyChange, State
from tests.console.key_pages import LIST, change, text
from tests.harness import factories
from tests.harness.values import some

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.keys.urls")]


def answer_of(question: str) -> dict[str, str]:
    """The fields of the form with which the page asks."""
    form = some(re.search(r'<form method="post".*?</form>', question, re.DOTALL))[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def test_revoke_asks_before_it_acts_and_is_recorded(console: Client, operator: User) -> None:
    key, _ = factories.issue()
    url = f"{LIST}{key.pk}/revoke/"
    assert url in text(console.get(change(key)))
    question = text(console.get(url))
    assert "cannot be undone" in question
    assert key.prefix in question
    assert ApiKey.objects.get().state is State.ACTIVE
    response = console.post(url, {"confirmed": "yes"}, follow=True)
    key.refresh_from_db()
    assert (key.state, key.revoked_by) == (State.REVOKED, operator)
    assert "Revoked: 1." in text(response)
    assert LogEntry.objects.get().get_change_message() == "Revoked."


def test_revoke_needs_the_token_of_the_form(operator: User) -> None:
    key, _ = factories.issue()
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    url = f"{LIST}{key.pk}/revoke/"
    assert client.post(url, {"confirmed": "yes"}).status_code == 403
    assert ApiKey.objects.get().state is State.ACTIVE
    token = some(re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text(client.get(url))))[1]
    assert client.post(url, {"confirmed": "yes", "csrfmiddlewaretoken": token}).status_code == 302
    assert ApiKey.objects.get().state is State.REVOKED


def test_revoke_twice_says_so_and_keeps_the_first(console: Client) -> None:
    key, _ = factories.revoked()
    url = f"{LIST}{key.pk}/revoke/"
    assert url not in text(console.get(change(key)))
    response = console.post(url, {"confirmed": "yes"}, follow=True)
    assert "Had been revoked before: 1." in text(response)
    assert ApiKey.objects.get().revoked_at == key.revoked_at
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("object_id", ["999999", "x", "0"])
def test_revoke_of_no_key_is_not_found(console: Client, object_id: str) -> None:
    assert console.get(f"{LIST}{object_id}/revoke/").status_code == 404


def test_revoke_selected_asks_and_then_revokes_those(console: Client) -> None:
    one, two, three = (factories.issue(label=f"label-{word}")[0] for word in ("one", "two", "three"))
    lifecycle.revoke(two, factories.ACTOR)
    data = {"action": "revoke_selected", "_selected_action": [one.pk, two.pk]}
    question = text(console.post(LIST, data))
    assert one.prefix in question
    assert three.prefix not in question
    assert ApiKey.objects.get(pk=one.pk).state is State.ACTIVE
    response = console.post(LIST, answer_of(question), follow=True)
    states = [ApiKey.objects.get(pk=key.pk).state for key in (one, two, three)]
    assert states == [State.REVOKED, State.REVOKED, State.ACTIVE]
    assert "Revoked: 1." in text(response)
    assert "Had been revoked before: 1." in text(response)


def test_confirmation_form_of_one_key_leads_where_it_says(console: Client) -> None:
    key, _ = factories.issue()
    assert answer_of(text(console.get(f"{LIST}{key.pk}/revoke/")))["keys"] == str(key.pk)


def test_revoke_selected_takes_more_keys_than_a_form_may_have_fields(console: Client, operator: User) -> None:
    owner = factories.partner("Acme")
    ApiKey.objects.bulk_create(
        ApiKey(partner=owner, prefix=f"thrad_live_{n:012}", digest="0" * 64, label=f"label {n}") for n in range(1_200)
    )
    spared, _ = factories.issue(partner=factories.partner("Beta"))
    address = f"{LIST}?q=label"
    data = {"action": "revoke_selected", "_selected_action": [ApiKey.objects.filter(partner=owner)[0].pk]}
    question = text(console.post(address, {**data, "select_across": "1"}))
    assert "Revoke these 1200 keys?" in question
    later = factories.issue(label="label of a key that came after the question")[0]
    response = console.post(address, answer_of(question), follow=True)
    assert "Revoked: 1200." in text(response)
    assert set(ApiKey.objects.usable()) == {spared, later}
    assert KeyChange.objects.filter(what=KeyChange.What.REVOKED, by=operator).count() == 1_200
    assert LogEntry.objects.filter(user=operator).count() == 1_200


@pytest.mark.parametrize("keys", ["", "x", "-1", "9" * 30, "\0", ",,"])
def test_revoke_selected_of_nothing_revokes_nothing(console: Client, keys: str) -> None:
    key, _ = factories.issue()
    data = {"action": "revoke_selected", "_selected_action": [key.pk], "select_across": "1", "confirmed": "yes"}
    assert console.post(LIST, {**data, "keys": keys}).status_code == 302
    assert ApiKey.objects.get().state is State.ACTIVE
