"""The page of an event: why it came out so, how it was sent, what belongs to it; the same as JSON; on few rows."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from collect import assembly
from collect.intake import contract
from collect.models import Event, Rejection
from collect.search import runs
from collect.storage import store
from collect.storage.rows import Arrival
from keys.models import ApiKey
from reporting import pretty
from runtime.refusals import Code, Refusal
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db

HOSTILE = "</pre><script>alert(1)</script> '; rm -rf / #\u202e\n"


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


def event(key: ApiKey, at: datetime | None = None, **fields: Any) -> str:
    source = factories.source(key, received_at=at or datetime.now(UTC))
    return store.write([factories.arrival(source, **fields)])[0].id


def page_of(id: str) -> str:
    return f"/admin/collect/event/{id}/change/"


def data(client: Client, id: str) -> dict[str, Any]:
    answer = client.get(f"/admin/collect/event/{id}/change.json")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.content.isascii()
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_page_says_why_and_shows_the_event_as_it_was_sent(console: Client, key: ApiKey) -> None:
    id = event(key, user_agent="okhttp/4.9.0", params={"value": 58.5}, tag_id="tag_1")
    page = console.get(page_of(id)).content.decode()
    for part in ("Why it came out so", "Sent as tag_id", "http library", "As it was sent", "YOUR_API_KEY", "copy.js"):
        assert part in page
    assert key.prefix not in data(console, id)["curl"]


def test_data_are_the_row_and_what_the_page_shows(console: Client, key: ApiKey) -> None:
    id = event(key, event_id="e", session_id="s", params={"value": 58.5})
    other = event(key, session_id="s")
    factories.reject(Refusal(Code.INVALID_JSON, "no"), factories.source(key), b"{", request_id="r-1")
    Rejection.objects.update(event=id)
    found = data(console, id)
    assert (found["event"]["id"], found["event"]["event_id"], found["event"]["partner"]) == (id, "e", "Acme")
    assert found["sent"]["params"] == found["event"]["params"] == {"value": 58.5}
    assert [reason["what"] for reason in found["why"]][:3] == ["Tag", "Timestamp", "Place"]
    assert [rejection["request_id"] for rejection in found["rejections"]] == ["r-1"]
    assert [one["id"] for one in found["earlier"] + found["later"]] == [other]
    page = console.get(page_of(id)).content.decode()
    assert page_of(other) in page
    assert "Its rejections and conflicts" in page
    assert "this event" in page


def test_command_is_one_that_a_shell_takes_apart_again(console: Client, key: ApiKey) -> None:
    id = event(key, event_id=HOSTILE, params={HOSTILE: HOSTILE})
    words = shlex.split(data(console, id)["curl"])
    assert words[:3] == ["curl", "-i", "http://testserver/api/collect"]
    # The marks in it are spelled out as JSON spells them, so that the command sends what was sent.
    sent = json.loads(words[-1])
    assert (sent["event_id"], sent["params"]) == (HOSTILE, {HOSTILE: HOSTILE})
    assert words[-2] == "--data-raw"


def test_what_the_sender_wrote_stays_text(console: Client, key: ApiKey) -> None:
    fields = dict.fromkeys(("event_id", "session_id", "client_id", "user_agent", "page_url", "tag_id"), HOSTILE)
    id = event(key, None, **fields, params={HOSTILE: HOSTILE}, zeta={HOSTILE: [HOSTILE]})
    event(key, client_id=HOSTILE)
    page = console.get(page_of(id)).content.decode()
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;alert(1)") > 5


def test_numbers_of_the_data_are_those_that_were_sent(console: Client, key: ApiKey) -> None:
    source = factories.source(key)
    body = b'{"event_name": "a", "params": {"value": 58.00, "who": "\xc3\xbc\xf0\x9f\x8e\x89"}}'
    row = assembly.build(contract.decode(body), source)
    (written,) = store.write([Arrival.of(row, body, "request-1")])
    answer = console.get(f"/admin/collect/event/{written.id}/change.json").content.decode()
    assert answer.count("58.00") == 3
    assert json.loads(answer)["sent"]["params"]["who"] == "ü🎉"


def test_page_of_a_deep_event_is_not_multiplied_and_says_where_the_whole_is(console: Client, key: ApiKey) -> None:
    deep: Any = [0] * 150_000
    for _ in range(50):
        deep = [deep]
    id = event(key, params={"deep": deep}, zeta={"deep": deep})
    page = console.get(page_of(id)).content.decode()
    # Indented it would have three times 15 MB.
    assert len(page) < 4 * pretty.SHOWN
    # Of both columns, and of the event as it was sent, which has no command then.
    assert page.count("Only its first 262,144 characters are shown") == 3
    assert "data-copy" not in page
    found = data(console, id)
    assert found["sent"]["params"] == found["event"]["params"] == {"deep": deep}
    assert json.loads(shlex.split(found["curl"])[-1])["zeta"] == {"deep": deep}


def test_event_of_a_usual_size_is_indented_and_its_command_is_one_line(console: Client, key: ApiKey) -> None:
    id = event(key, params={"value": 58.5})
    page = console.get(page_of(id)).content.decode()
    assert "Only its first" not in page
    assert "{\n  &quot;value&quot;: 58.5\n}" in page
    assert "  &quot;params&quot;: {\n    &quot;value&quot;: 58.5\n  }" in page
    assert "\n" not in data(console, id)["curl"]


def test_event_that_is_not_there_has_neither_page_nor_data(console: Client, key: ApiKey) -> None:
    for id in ("01935f3c-0000-7000-8000-000000000000", "x"):
        assert console.get(f"/admin/collect/event/{id}/change.json").status_code == 404
        assert console.get(page_of(id)).status_code == 302


def test_data_are_for_those_who_may_see_events(client: Client, key: ApiKey) -> None:
    id = event(key)
    assert client.get(f"/admin/collect/event/{id}/change.json").status_code == 302
    client.force_login(User.objects.create_user("clerk", password="secret", is_staff=True))
    assert client.get(f"/admin/collect/event/{id}/change.json").status_code == 403
    assert client.get(page_of(id)).status_code == 403


def test_page_of_an_old_event_reads_bounded_rows(console: Client, key: ApiKey) -> None:
    plans.fill(key, 12_000, newest=datetime.now(UTC) - timedelta(days=1))
    while runs.append(1_000) or runs.prepend(1_000):
        pass
    with plans.captured() as queries:
        assert console.get(page_of(str(Event.objects.get(event_id="many-5000").pk))).status_code == 200
    plans.assert_bounded(queries)
