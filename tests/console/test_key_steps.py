"""Revoking keys through the real pages: it asks first, and is recorded."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from keys import lifecycle
from keys.models import ApiKey, State
from tests.console.key_pages import LIST, change, text
from tests.harness import factories
from tests.harness.values import some

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.keys.urls")]


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
    response = console.post(LIST, {**data, "confirmed": "yes"}, follow=True)
    states = [ApiKey.objects.get(pk=key.pk).state for key in (one, two, three)]
    assert states == [State.REVOKED, State.REVOKED, State.ACTIVE]
    assert "Revoked: 1." in text(response)
    assert "Had been revoked before: 1." in text(response)


def test_confirmation_forms_lead_where_they_say(console: Client) -> None:
    key, _ = factories.issue()
    for page in (
        console.get(f"{LIST}{key.pk}/revoke/"),
        console.post(LIST, {"action": "revoke_selected", "_selected_action": [key.pk]}),
    ):
        form = some(re.search(r'<form method="post".*?</form>', text(page), re.DOTALL))[0]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        assert fields["confirmed"] == "yes"
        assert fields["_selected_action"] == str(key.pk)
