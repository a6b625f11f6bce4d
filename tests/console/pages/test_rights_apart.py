"""Each right is separate: a page that two rights meet on shows what the user may see, as HTML and as JSON."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from collect.models import Event, Rejection
from collect.storage import ingest
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.console.key_pages import text
from tests.harness import factories

pytestmark = pytest.mark.django_db

LABEL = "order service"


@pytest.fixture
def key() -> ApiKey:
    """A key that expires soon, which is a warning."""
    return factories.issue(label=LABEL, expires_at=datetime.now(UTC) + timedelta(days=2))[0]


def staff(*rights: str) -> Client:
    user = User.objects.create_user("-".join(rights), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def collide(key: ApiKey) -> Event:
    """Store an event, and keep a rejection of another one with its id."""
    source = factories.source(key)
    for value in ("the stored one", "the refused one"):
        ingest.submit([factories.arrival(source, event_id="e", params={"text": value})])
    return Event.objects.get()


def test_rejections_of_an_event_are_for_those_who_may_see_rejections(key: ApiKey) -> None:
    address = f"/admin/collect/event/{collide(key).pk}/change"
    for rights, count in ((("view_event",), 0), (("view_event", "view_rejection"), 1)):
        client = staff(*rights)
        assert len(json.loads(client.get(f"{address}.json").content)["rejections"]) == count
        page = text(client.get(f"{address}/"))
        assert ("Its rejections and conflicts" in page) is bool(count)


def test_stored_event_of_a_conflict_is_for_those_who_may_see_events(key: ApiKey) -> None:
    collide(key)
    address = f"/admin/collect/rejection/{Rejection.objects.get().pk}/change/"
    for rights, is_shown in ((("view_rejection",), False), (("view_rejection", "view_event"), True)):
        page = text(staff(*rights).get(address))
        assert "the refused one" in page
        assert ("the stored one" in page) is is_shown


@pytest.mark.parametrize(("right", "is_shown"), [("view_event", False), ("view_apikey", True), ("change_apikey", True)])
def test_keys_of_a_partner_are_for_those_who_may_see_keys(key: ApiKey, right: str, is_shown: bool) -> None:
    client = staff("view_event", "view_partner", right)
    partner = f"/admin/partners/{key.partner_id}"
    data: dict[str, Any] = client.get(f"{partner}.json").json()
    (row,) = client.get("/admin/partners.json").json()["partners"]
    assert bool(data["keys"]) is bool(data["partner"]["warnings"]) is bool(row["warnings"]) is is_shown
    for page in (text(client.get(f"{partner}/")), text(client.get("/admin/partners/"))):
        assert (LABEL in page) is is_shown
        assert (key.prefix in page) is (is_shown and 'id="keys"' in page)
    assert ('id="keys"' in text(client.get(f"{partner}/"))) is is_shown


@pytest.mark.parametrize("path", ["live", "rejections"])
def test_choices_are_those_that_the_user_may_see(key: ApiKey, path: str) -> None:
    option, label = f'<option value="{key.partner_id}">Acme</option>', f"{LABEL} ({key.prefix})"
    for rights in ((), ("view_partner",), ("view_apikey",), ("view_partner", "view_apikey")):
        page = text(staff("view_event", "view_rejection", *rights).get(f"/admin/{path}/"))
        assert (option in page) is ("view_partner" in rights)
        assert (label in page) is ("view_apikey" in rights)


def test_choices_of_the_ledger_are_those_that_the_user_may_see(key: ApiKey) -> None:
    assert "Acme" not in text(staff("view_event").get("/admin/ledger/"))
    assert "Acme" in text(staff("view_event", "view_partner").get("/admin/ledger/"))


def test_filter_of_rejections_by_key_names_no_key_to_whoever_may_see_none(key: ApiKey) -> None:
    for id in ("first-id", "second-id"):
        other = factories.issue(partner=key.partner, label="another one")[0] if id == "second-id" else key
        factories.reject(Refusal(Code.INVALID_JSON, "no"), factories.source(other), b"{", request_id=id)
    client = staff("view_rejection")
    assert LABEL not in text(client.get("/admin/collect/rejection/"))
    page = text(client.get("/admin/collect/rejection/", {"api_key": key.pk}))
    assert ("first-id" in page, "second-id" in page, LABEL in page) == (True, False, False)
