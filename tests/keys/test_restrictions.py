"""Restrictions: tags and networks, by the page and by the command, and what a sender and an operator see of them."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.test import Client

from collect.models import Event, Rejection
from keys import denials, restrictions
from keys.models import ApiKey, KeyChange
from tests.harness import factories
from tests.harness.commands import run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_waits() -> None:
    denials.shared._waiting.clear()


def post(raw_key: str, body: Any, path: str = "/api/collect", address: str = "127.0.0.1") -> Any:
    client = Client(headers={"Authorization": f"Bearer {raw_key}"}, REMOTE_ADDR=address)
    return client.post(path, json.dumps(body), content_type="application/json")


@pytest.mark.parametrize(
    ("tags", "tag_id", "is_allowed"),
    [
        ([], "anything", True),
        (["adv_acme_shop"], "adv_acme_shop", True),
        (["adv_acme_shop"], "adv_acme_shop2", False),
        (["adv_acme_*"], "adv_acme_", True),
        (["adv_acme_*"], "adv_acme_shop", True),
        (["adv_acme_*"], "adv_acm", False),
        (["other", "adv_acme_*"], "adv_acme_x", True),
        (["site:shop.example"], "site:shop.example", True),
        (["*"], "anything", True),
        (["a.c"], "abc", False),
    ],
)
def test_tag_is_exact_or_a_beginning(tags: list[str], tag_id: str, is_allowed: bool) -> None:
    assert restrictions.allows_tag(tags, tag_id) is is_allowed


@pytest.mark.parametrize("tags", ["x", [1], [""], ["a*b"], ["*a"], ["x" * 259], None, {"a": 1}])
def test_what_is_no_tag_is_refused(tags: object) -> None:
    with pytest.raises(ValidationError):
        restrictions.validate_tags(tags)


@pytest.mark.parametrize("networks", ["x", [1], [""], ["localhost"], ["1.2.3.4/33"], ["1.2.3"]])
def test_what_is_no_network_is_refused(networks: object) -> None:
    with pytest.raises(ValidationError):
        restrictions.validate_networks(networks)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [("203.0.113.7", True), ("203.0.114.7", False), ("2001:db8::1", True), ("2001:db9::1", False), (None, False)],
)
def test_address_lies_in_a_network(address: str | None, is_allowed: bool) -> None:
    assert restrictions.allows_address(["203.0.113.0/24", "2001:db8::/32"], address) is is_allowed


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"tag_id": "adv_acme_shop"}, 204),
        ({"tag_id": "adv_other"}, 403),
        ({"page_url": "https://shop.example/"}, 204),
        ({"page_url": "https://elsewhere.example/"}, 403),
        ({}, 403),
    ],
)
def test_event_of_another_tag_is_a_403_that_the_operator_can_see(body: dict[str, str], status: int) -> None:
    _, raw_key = factories.issue(tags=["adv_acme_*", "site:shop.example"])
    response = post(raw_key, {"event_name": "x", **body})
    assert response.status_code == status
    assert Event.objects.count() == (status == 204)
    if status == 403:
        assert response.json()["code"] == "tag_not_allowed"
        assert Rejection.objects.get().code == "tag_not_allowed"
        assert post(raw_key, {"event_name": "x", **body}, "/api/collect/validate").status_code == 403


def test_batch_judges_each_event_by_its_tag() -> None:
    _, raw_key = factories.issue(tags=["mine"])
    events = [{"event_name": "x", "tag_id": tag} for tag in ("mine", "theirs", "mine")]
    told = post(raw_key, {"events": events}, "/api/collect/batch").json()
    assert (told["stored"], [(one["index"], one["code"]) for one in told["rejected"]]) == (2, [(1, "tag_not_allowed")])
    assert Rejection.objects.get().code == "tag_not_allowed"


def test_other_network_is_the_401_of_an_unknown_key_and_stands_in_the_history() -> None:
    key, raw_key = factories.issue(networks=["203.0.113.0/24"])
    assert post(raw_key, {"event_name": "x"}, address="203.0.113.9").status_code == 204
    refused = post(raw_key, {"event_name": "x"}, address="198.51.100.1")
    unknown = post(factories.unknown(), {"event_name": "x"}, address="198.51.100.1")
    assert refused.status_code == 401
    told, other = ({**answer.json(), "request_id": ""} for answer in (refused, unknown))
    assert told == other
    denials.write()
    change = KeyChange.objects.get(key=key, what="refused")
    assert (change.detail, change.address) == ("network not allowed", "198.51.100.1")


def test_page_sets_restrictions_as_lines() -> None:
    User.objects.create_superuser("operator", password="secret")
    client = Client()
    assert client.login(username="operator", password="secret")
    data = {"partner": factories.partner().pk, "label": "shop", "expires_at_0": "", "expires_at_1": ""}
    restricted = {"tags": " adv_acme_* \n\nsite:shop.example", "networks": "203.0.113.0/24"}
    assert client.post("/admin/keys/apikey/add/", {**data, **restricted}).status_code == 302
    key = ApiKey.objects.get()
    assert (key.tags, key.networks) == (["adv_acme_*", "site:shop.example"], ["203.0.113.0/24"])
    page = f"/admin/keys/apikey/{key.pk}/change/"
    assert "adv_acme_*\nsite:shop.example" in client.get(page).content.decode()
    wrong = client.post(page, {**data, "tags": "a*b", "networks": "x"}).content.decode()
    assert "is not a tag id" in wrong
    assert "is not a network" in wrong
    client.post(page, {**data, "tags": "", "networks": ""})
    key.refresh_from_db()
    assert (key.tags, key.networks) == ([], [])
    change = KeyChange.objects.get(key=key, what="restricted")
    assert change.detail == "tags: adv_acme_*, site:shop.example → any; networks: 203.0.113.0/24 → any"


def test_command_sets_and_lifts_restrictions() -> None:
    key, _ = factories.issue()
    out, _ = run("restrict_key", key.prefix, "--tag", "a", "--tag", "b_*", "--network", "10.0.0.0/8")
    key.refresh_from_db()
    assert (key.tags, key.networks) == (["a", "b_*"], ["10.0.0.0/8"])
    assert "tags: a, b_*; networks: 10.0.0.0/8" in out
    run("restrict_key", key.prefix, "--any-tag", "--dry-run")
    key.refresh_from_db()
    assert key.tags == ["a", "b_*"]
    run("restrict_key", key.prefix, "--any-tag")
    key.refresh_from_db()
    assert (key.tags, key.networks) == ([], ["10.0.0.0/8"])
    with pytest.raises(CommandError, match="is not a network"):
        run("restrict_key", key.prefix, "--network", "x")
