"""Mending a group on its page: the form in the address, the example, preview, replay, cancel, and who may."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

import reporting.mending
from collect.mending import mends
from collect.mending.operations import Rename
from collect.models import Event, Mend, Rejection, RejectionGroup
from console.pages import mending as page
from tests.collect.mending.incidents import finish, refuse
from tests.console.key_pages import text
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def group() -> RejectionGroup:
    bodies = [b"[]", b'{"event": "a", "event_id": "1"}', b'{"event": "a", "event_id": "1"}']
    return refuse(factories.key(factories.partner("acme"))[0], *bodies)


def address(group: RejectionGroup, *rows: tuple[str, str, str]) -> str:
    return f"/admin/rejections/{group.pk}/mend/?{query(*rows)}"


def query(*rows: tuple[str, str, str]) -> str:
    return urlencode([pair for row in rows for pair in zip(("op", "path", "to"), row, strict=True)])


def press(client: Client, group: RejectionGroup, button: str, *rows: tuple[str, str, str], **more: Any) -> Any:
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    data = dict(zip(("op", "path", "to"), map(list, columns), strict=True))
    return client.post(f"/admin/rejections/{group.pk}/mend/", {**data, "do": button, **more})


RENAME = ("rename", "event", "event_name")
BLANK = ("set", "", "")


def data(client: Client, group: RejectionGroup, *rows: tuple[str, str, str]) -> Any:
    return client.get(f"/admin/rejections/{group.pk}/mend.json?{query(*rows)}").json()["mending"]


def test_group_is_previewed_and_replayed(console: Client, group: RejectionGroup, operator: User) -> None:
    answer = press(console, group, "preview", RENAME, BLANK)
    assert (answer.status_code, answer["Location"]) == (302, f"{address(group, RENAME)}#mending")
    assert "waits for a worker" in text(console.get(address(group, RENAME)))
    preview = finish(Mend.objects.get())
    shown = text(console.get(address(group, RENAME)))
    assert "3: 1 would be stored, 1 is a duplicate, 1 is still refused: The body must be a JSON object" in shown
    assert "Replay 1" in shown
    assert not Event.objects.exists()
    press(console, group, "replay", RENAME, mend=preview.pk)
    finish(Mend.objects.get(kind="replay"))
    assert Event.objects.get().event_name == "a"
    shown = text(console.get(address(group)))
    assert "3: 1 was stored, 1 is a duplicate, 1 is still refused" in shown
    assert "Replay 1" not in shown
    assert "Mark the group as resolved" in shown
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (operator, str(group.pk))
    assert entry.change_message.startswith("Replayed: rename event to event_name. Preview: 3: 1 would be stored")
    found = data(console, group)
    assert [one["kind"] for one in found["mends"]] == ["replay", "preview"]
    assert found["mends"][0]["counts"] == {"stored": 1, "duplicate": 1, "still refused: invalid_event": 1}
    assert found["mends"][0]["requested_by"] == "operator"


def test_address_has_the_form_and_the_example_shows_what_it_does(console: Client, group: RejectionGroup) -> None:
    shown = text(console.get(address(group, RENAME, ("set", "params.value", "1.50"))))
    assert 'value="params.value"' in shown
    assert "The example would be accepted" in shown
    found = data(console, group, RENAME, ("set", "params.value", "1.50"))
    assert found["operations"] == ["rename event to event_name", "set params.value to 1.50"]
    changed = [line["text"].strip() for line in found["example"]["after"] if line["is_changed"]]
    assert changed == ['"event_name": "a",', '"event_id": "1",', '"params": {', '"value": 1.50', "}"]
    assert data(console, group)["example"]["fault"] == "event_name: required"


def test_buttons_of_the_form_lead_to_an_address(console: Client, group: RejectionGroup) -> None:
    second = ("text", "event_id", "")
    answer = press(console, group, "remove-0", RENAME, second)
    assert answer["Location"] == f"{address(group, second)}#mending"
    assert press(console, group, "try", RENAME, second)["Location"] == f"{address(group, RENAME, second)}#mending"
    of_group = f"/admin/rejections/{group.pk}/"
    assert press(console, group, "try", range="7d")["Location"].endswith("/mend/?range=7d#mending")
    assert 'name="range" value="7d"' in text(console.get(f"{address(group)}&range=7d"))
    assert press(console, group, "try", page=of_group)["Location"] == f"{of_group}?#mending"
    assert press(console, group, "try", page="https://evil.example/")["Location"] == f"{address(group)}#mending"
    assert not Mend.objects.exists()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("eval", "a", ""), "Operation 1: Invalid value"),
        (("move", "a[].b", "c"), "Operation 1: a[].b cannot be moved to c"),
        (("delete", "a..b", ""), "Operation 1: &#x27;a..b&#x27; is no path"),
    ],
)
def test_operation_that_is_none_is_told_and_nothing_is_asked_for(
    console: Client, group: RejectionGroup, row: tuple[str, str, str], told: str
) -> None:
    assert told in text(console.get(address(group, row)))
    press(console, group, "preview", row)
    assert not Mend.objects.exists()


def test_part_is_asked_for_until_it_is_done(console: Client, group: RejectionGroup) -> None:
    press(console, group, "preview", RENAME)
    part = text(console.get(address(group, RENAME), headers={"HX-Request": "true"}))
    assert 'hx-trigger="every 1s"' in part
    assert "<html" not in part
    assert urlencode({"page": f"/admin/rejections/{group.pk}/mend/"}) in part
    finish(Mend.objects.get())
    part = text(console.get(address(group, RENAME), headers={"HX-Request": "true"}))
    assert "hx-trigger" not in part
    assert "Replay 1" in part


def test_part_makes_no_example(console: Client, group: RejectionGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    press(console, group, "preview", RENAME)
    made = list[Any]()
    monkeypatch.setattr(reporting.mending, "example", lambda *given: made.append(given))
    console.get(address(group, RENAME), headers={"HX-Request": "true"})
    assert made == []
    console.get(address(group, RENAME))
    assert len(made) == 1


def test_cancel(console: Client, group: RejectionGroup) -> None:
    press(console, group, "preview", RENAME)
    mend = Mend.objects.get()
    press(console, group, "cancel", mend=mend.pk)
    mend.refresh_from_db()
    assert mend.state == Mend.State.CANCELLED
    press(console, group, "cancel", mend=mend.pk)
    assert "had ended before" in text(console.get(address(group)))
    press(console, group, "replay", mend=mend.pk)
    assert "only a preview that is done" in text(console.get(address(group)))
    assert LogEntry.objects.get().change_message == "Cancelled the preview."


@pytest.mark.parametrize("id", ["", "x", "-1", "9" * 30, "0"])
def test_mend_or_group_that_is_not_there(console: Client, group: RejectionGroup, id: str) -> None:
    assert press(console, group, "replay", mend=id).status_code == 404
    assert console.get(f"/admin/rejections/{id or 'x'}/mend/").status_code == 404
    assert console.get(f"/admin/rejections/{id or 'x'}/mend.json").status_code == 404


def test_group_has_it_on_its_page_and_in_its_data(console: Client, group: RejectionGroup) -> None:
    of_group = f"/admin/rejections/{group.pk}/"
    answer = press(console, group, "preview", RENAME, page=of_group)
    assert answer["Location"] == f"{of_group}?{query(RENAME)}#mending"
    finish(Mend.objects.get())
    shown = text(console.get(f"{of_group}?{query(RENAME)}"))
    assert "Replay 1" in shown
    assert f'name="page" value="{of_group}"' in shown
    assert console.get(f"/admin/rejections/{group.pk}.json").json()["mending"]["mends"][0]["would_store"] == 1


def test_example_is_the_newest_that_is_left(console: Client, group: RejectionGroup) -> None:
    first, *_, last = group.rejections.order_by("pk")
    assert data(console, group)["example"]["rejection"] == last.pk
    group.rejections.exclude(pk=first.pk).update(replayed_as=uuid4())
    assert data(console, group)["example"]["rejection"] == first.pk
    group.rejections.update(replayed_as=uuid4())
    assert "all replayed before" in text(console.get(address(group)))
    group.rejections.all().delete()
    assert "nothing to mend" in text(console.get(address(group)))


def test_queries_are_bounded_however_large_the_group_is(console: Client, group: RejectionGroup) -> None:
    first = group.rejections.all()[0]
    fields = ("received_at", "partner_id", "api_key_id", "group_id", "request_id", "code", "detail", "body_size")
    one = {name: getattr(first, name) for name in fields}
    Rejection.objects.bulk_create([Rejection(**one, body=b"{}") for _ in range(6_000)], batch_size=1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE collect_rejection")
    with plans.captured() as queries:
        assert console.get(address(group, RENAME)).status_code == 200
    plans.assert_bounded(queries)


def test_only_who_has_the_right_mends(client: Client, group: RejectionGroup) -> None:
    user = User.objects.create_user("eve", is_staff=True)
    client.force_login(user)
    assert client.get(address(group)).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_rejection"))
    assert "You may look on" in text(client.get(address(group)))
    assert data(client, group, RENAME)["operations"] == []
    assert not data(client, group, RENAME)["example"]["is_changed"]
    assert press(client, group, "preview", RENAME).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="replay_rejection"))
    assert press(client, group, "preview", RENAME).status_code == 302
    assert Mend.objects.get().requested_by == user


def test_what_senders_wrote_is_shown_as_text(console: Client) -> None:
    body = json.dumps({HOSTILE: HOSTILE, "event": HOSTILE}).encode()
    group = refuse(factories.key()[0], body)
    shown = text(console.get(address(group, ("delete", HOSTILE, ""))))
    assert "<script>alert(1)" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_rows_are_the_operations_they_came_from() -> None:
    rows = [
        page.FormRow("set", "a.b", "1.50"),
        page.FormRow("set", "a", '"1.50"'),
        page.FormRow("rename", "a", "b.c"),
        page.FormRow("move", "a", "b.c"),
        page.FormRow("wrap", "", ""),
    ]
    assert page.as_rows(page.operations(rows)) == rows
    assert str(page.operations([page.FormRow("set", "a", "plain text")])[0]) == 'set a to "plain text"'


def test_mend_goes_on_when_nobody_looks(group: RejectionGroup, operator: User) -> None:
    mend = mends.preview([Rename("event", "event_name")], operator, group=group)
    operator.delete()
    assert finish(mend).requested_by_name == "operator"
