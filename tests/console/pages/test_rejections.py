"""The pages of rejections by cause: what they show, of whom, and what can be done there."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from collect.intake import contract
from collect.models import LedgerEntry, RejectionGroup
from collect.storage import rejections
from collect.storage.grouping import builds
from collect.storage.rejections import Record
from keys.models import ApiKey
from reporting.rejections import telling
from runtime.refusals import Code, Refusal
from tests.harness import factories, plans
from tests.harness.server import ROOT

pytestmark = pytest.mark.django_db

NO_NAME = contract.invalid_event({"event_name": ["required"]})
NO_JSON = Refusal(Code.INVALID_JSON, "JSON is malformed: it ends too early")
LIST = "/admin/rejections/"


def refuse(key: ApiKey, refusal: Refusal = NO_NAME, body: bytes = b"{}", build: str = "svc/2", **ago: int) -> None:
    """Let a request of the key be refused so long ago."""
    at, meta = datetime.now(UTC) - timedelta(**ago), {"HTTP_USER_AGENT": build, "CONTENT_TYPE": "application/json"}
    builds.count(key.pk, meta, at)
    builds.write()
    source = factories.source(key, received_at=at, meta=meta)
    rejections.keep([Record.of_refusal(refusal, source, body, "request-7")])


def data(console: Client, address: str) -> Any:
    response = console.get(address)
    assert response.status_code == 200, response.content
    return response.json()


def group_of(code: str) -> RejectionGroup:
    return RejectionGroup.objects.get(code=code)


def test_deep_body_of_an_example_is_not_multiplied(console: Client) -> None:
    body = b"[" * 400 + b"0," * 31_000 + b"0" + b"]" * 400
    refuse(factories.issue()[0], NO_JSON, body)
    address = f"{LIST}{RejectionGroup.objects.get().pk}"
    assert data(console, f"{address}.json")["example"]["body"] == body.decode()
    # Indented it has 25 MB.
    assert len(console.get(f"{address}/").content) < 4 * len(body)


def test_list_has_the_groups_of_its_range_most_first(console: Client) -> None:
    key, _ = factories.issue()
    for minutes in (1, 2, 3):
        refuse(key, NO_JSON, minutes=minutes)
    refuse(key, minutes=5)
    refuse(key, contract.invalid_event({"tag_id": ["must be a string"]}), days=3)
    LedgerEntry.objects.create(
        start=datetime.now(UTC) - timedelta(minutes=2), minutes=1, partner=key.partner, api_key=key, is_test=False,
        endpoint="collect", outcome="received", code="", events=12, requests=12, bytes=0,
    )  # fmt: skip
    found = data(console, "/admin/rejections.json?range=1h")["groups"]
    assert [(one["code"], one["count"], one["share"], one["state"]) for one in found] == [
        ("invalid_json", 3, 0.25, "open"),
        ("invalid_event", 1, 1 / 12, "open"),
    ]
    assert [sum(one["trend"]) for one in found] == [3, 1]
    assert [one["count"] for one in data(console, "/admin/rejections.json?range=7d")["groups"]] == [3, 1, 1]


def test_list_can_begin_with_the_latest(console: Client) -> None:
    key, _ = factories.issue()
    for minutes in (5, 6):
        refuse(key, NO_JSON, minutes=minutes)
    refuse(key, minutes=1)
    found = data(console, "/admin/rejections.json?order=last_seen")["groups"]
    assert [one["code"] for one in found] == ["invalid_event", "invalid_json"]


def test_list_is_filtered_by_partner_key_code_and_state(console: Client) -> None:
    key, other = factories.issue()[0], factories.issue(partner=factories.partner("Globex"))[0]
    refuse(key, NO_JSON, minutes=1)
    refuse(other, minutes=1)
    RejectionGroup.objects.filter(api_key=other).update(resolved_at=datetime.now(UTC))
    for query, codes in {
        f"partner={key.partner_id}": ["invalid_json"],
        f"key={other.pk}": ["invalid_event"],
        "code=invalid_event": ["invalid_event"],
        "state=open": ["invalid_json"],
        "state=resolved": ["invalid_event"],
        "state=regressed": [],
        "": ["invalid_json", "invalid_event"],
    }.items():
        found = data(console, f"/admin/rejections.json?{query}")["groups"]
        assert sorted(one["code"] for one in found) == sorted(codes), query


@pytest.mark.parametrize("query", ["partner=x", "key=1e3", "code=none", "state=closed", "order=name", "range=1y"])
def test_address_that_means_nothing_is_told_so(console: Client, query: str) -> None:
    assert console.get(f"{LIST}?{query}").status_code == 400


def test_group_page_tells_since_when_which_build_and_what_to_tell(console: Client) -> None:
    key, _ = factories.issue()
    builds.count(key.pk, {"HTTP_USER_AGENT": "svc/1"}, datetime.now(UTC))
    for minutes in (4, 3, 2):
        refuse(key, body=b'{"email": "anna@example.org"}', build="svc/2", minutes=minutes)
    found = data(console, f"/admin/rejections/{group_of('invalid_event').pk}.json")
    first = RejectionGroup.objects.get().first_seen
    assert found["incident"] | {"told": ""} == {
        "onset": first.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "told": "",
        "culprits": [{"build": "svc/2", "count": 3}], "steady": [], "spared": ["svc/1"], "gone": [],
    }  # fmt: skip
    told = f"{first:%Y-%m-%d %H:%M:%S} UTC, all 3 from svc/2; none from svc/1, which went on sending"
    assert told in found["incident"]["told"]
    assert [(one["build"], one["refused"], one["requests"]) for one in found["builds"]] == [
        ("svc/2", 3, 3),
        ("svc/1", 0, 1),
    ]
    assert "anna@example.org" in found["example"]["body"]
    assert "anna" not in found["message_for_sender"]
    page = console.get(f"/admin/rejections/{found['id']}/").content.decode()
    assert told in page
    assert "event_name is required" in page


@pytest.mark.parametrize(
    "refusal", [NO_JSON, NO_NAME, contract.invalid_event({name: ["?"] for name in contract.RULES})]
)
def test_line_that_the_sender_is_given_passes(console: Client, refusal: Refusal) -> None:
    key, raw_key = factories.issue(tags=["adv_*"])
    refuse(key, refusal, minutes=1)
    line = data(console, f"/admin/rejections/{RejectionGroup.objects.get().pk}.json")["curl"]
    # The shell itself says which words curl is given.
    words = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\0' {line}"], env={"THRAD_API_KEY": raw_key}, capture_output=True, check=True
    ).stdout.split(b"\0")
    assert f"Authorization: Bearer {raw_key}".encode() in words
    body = words[words.index(b"-d") + 1]
    assert words[2].endswith(b"/api/collect/validate")
    headers, sender = {"authorization": f"Bearer {raw_key}"}, Client()
    judged = sender.post("/api/collect/validate", body, content_type="application/json", headers=headers)
    assert (judged.status_code, judged.json()["valid"]) == (200, True)
    assert sender.post("/api/collect", body, content_type="application/json", headers=headers).status_code == 204


def test_group_is_resolved_regresses_and_is_opened_again(console: Client, operator: User) -> None:
    key, _ = factories.issue()
    refuse(key, minutes=1)
    group = RejectionGroup.objects.get()
    state, address = f"/admin/rejections/{group.pk}/state/", f"/admin/rejections/{group.pk}.json"
    assert console.post(state, {"do": "resolve"}).status_code == 302
    assert data(console, address)["state"] == "resolved"
    assert data(console, address)["resolved_by"] == "operator"
    refuse(key)
    assert data(console, address)["state"] == "regressed"
    assert console.post(state, {"do": "reopen"}).status_code == 302
    assert (data(console, address)["state"], data(console, address)["resolved_by"]) == ("open", "")
    assert console.post(state, {"do": "delete"}).status_code == 404
    noted = LogEntry.objects.filter(object_id=str(group.pk)).order_by("pk")
    assert [(entry.user, entry.get_change_message()) for entry in noted] == [
        (operator, "Resolved. If it is seen again, it is marked as regressed."),
        (operator, "Opened again."),
    ]


def test_rights_decide_who_sees_and_who_resolves(client: Client) -> None:
    key, _ = factories.issue()
    refuse(key, minutes=1)
    group = RejectionGroup.objects.get()
    user = User.objects.create_user("viewer", password="secret", is_staff=True)
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_rejection"))
    page = client.get(f"/admin/rejections/{group.pk}/")
    assert page.status_code == 200
    assert b"Resolve</" not in page.content
    assert client.post(f"/admin/rejections/{group.pk}/state/", {"do": "resolve"}).status_code == 403
    assert Client().get(f"/admin/rejections/{group.pk}.json").status_code == 302


def test_hostile_text_is_shown_as_text(console: Client) -> None:
    key, _ = factories.issue(partner=factories.partner("<b>Acme</b>"))
    hostile = '<script>alert("\u202e")</script>'
    body = json.dumps({"event_name": "", hostile: hostile, "x": "=1+1"}, ensure_ascii=False).encode()
    refuse(key, Refusal(Code.INVALID_EVENT, f"event_name: {hostile}"), body, build=hostile, minutes=1)
    for address in (LIST, f"/admin/rejections/{RejectionGroup.objects.get().pk}/"):
        page = console.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<b>Acme" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;" in page


def test_unknown_group_is_404(console: Client) -> None:
    assert console.get("/admin/rejections/7/").status_code == 404


def test_every_code_and_field_has_its_sentence() -> None:
    assert telling.FIELDS.keys() >= contract.RULES.keys()
    wire = (ROOT / "collect/intake/wire.py").read_text()
    kept = {"conflict", "invalid_event", "tag_not_allowed", *re.findall(r"Code\.([A-Z_]+)", wire)}
    assert {code.lower() for code in kept} <= set(telling.CODES)


def test_queries_are_bounded(console: Client) -> None:
    key, _ = factories.issue()
    for minutes in range(1, 6):
        refuse(key, minutes=minutes)
    plans.fill(key, 6_000)
    for address in (LIST, f"/admin/rejections/{RejectionGroup.objects.get().pk}/"):
        with plans.captured() as queries:
            assert console.get(address).status_code == 200
        plans.assert_bounded(queries)
