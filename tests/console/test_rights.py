"""Nobody deletes, and nobody without rights acts."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from keys.models import ApiKey, Partner, State
from tests.console.key_pages import ADD, LIST, RAW_KEY, change, issue, text
from tests.harness import factories
from tests.harness.values import some

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.keys.urls")]


def test_key_cannot_be_deleted(console: Client) -> None:
    key, _ = factories.issue()
    assert console.post(f"{LIST}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    console.post(LIST, {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"})
    assert "delete" not in re.findall(r'<option value="(\w+)"', text(console.get(LIST)))
    assert f"{key.pk}/delete/" not in text(console.get(change(key)))
    assert ApiKey.objects.filter(pk=key.pk).exists()


def test_partner_with_keys_cannot_be_deleted_and_one_without_can(console: Client) -> None:
    key, _ = factories.issue()
    empty = factories.partner("Empty")
    page = f"/admin/keys/partner/{key.partner_id}"
    assert console.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [key.partner_id, empty.pk], "post": "yes"}
    console.post("/admin/keys/partner/", data)
    assert Partner.objects.count() == 2
    assert console.post(f"/admin/keys/partner/{empty.pk}/delete/", {"post": "yes"}).status_code == 302
    assert Partner.objects.get() == key.partner


def test_partner_list_counts_keys(console: Client) -> None:
    factories.issue(partner=factories.partner("Counted"))
    factories.revoked(partner=factories.partner("Counted"))
    page = text(console.get("/admin/keys/partner/"))
    row = some(re.search(r"<tr[^>]*>(?:(?!</tr>).)*Counted.*?</tr>", page, re.DOTALL))[0]
    assert re.search(r">\s*2\s*<", row)


@pytest.mark.parametrize("rights", [[], ["view_apikey"]])
def test_user_without_rights_gets_403(rights: list[str]) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    key, _ = factories.issue()
    assert client.get(LIST).status_code == (200 if rights else 403)
    assert client.get(ADD).status_code == 403
    assert issue(client).status_code == 403
    url = f"{LIST}{key.pk}/revoke/"
    assert client.get(url).status_code == 403
    assert client.post(url, {"confirmed": "yes"}).status_code == 403
    client.post(LIST, {"action": "revoke_selected", "_selected_action": [key.pk], "confirmed": "yes"})
    if rights:
        assert url not in text(client.get(change(key)))
        assert client.post(change(key), {"label": "mine"}).status_code == 403
    assert ApiKey.objects.get().state is State.ACTIVE
    assert ApiKey.objects.get().label == "backend"


def test_stranger_is_sent_to_the_login() -> None:
    key, _ = factories.issue()
    for page in (LIST, ADD, change(key), f"{LIST}{key.pk}/revoke/"):
        response = Client().get(page)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_right_to_issue_alone_shows_the_key_and_no_more() -> None:
    user = User.objects.create_user("issuer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_apikey", "view_partner"]))
    client = Client()
    client.force_login(user)
    assert RAW_KEY.search(text(issue(client)))
    assert client.get(change(ApiKey.objects.get())).status_code == 403


@pytest.mark.parametrize(
    "page", ["user/", "user/add/", "group/", "group/add/", "user/{pk}/change/", "user/{pk}/password/"]
)
def test_users_and_groups_have_pages_of_the_same_console(console: Client, operator: User, page: str) -> None:
    assert "unfold/" in text(console.get(f"/admin/auth/{page.format(pk=operator.pk)}"))
