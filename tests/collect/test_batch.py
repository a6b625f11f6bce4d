"""Many events in one body (contract, section 5): three envelopes, each event judged alone, counts that add up."""

import gzip
import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from collect import assembly, batch
from collect.intake.contract import SentEvent
from collect.intake.source import Source
from collect.models import Event, Rejection
from collect.storage.rows import Row
from runtime.refusals import Code, Refusal
from tests.harness import factories
from tests.harness.databases import is_sqlite

pytestmark = pytest.mark.django_db


@pytest.fixture
def send(client: Client) -> Callable[..., Any]:
    _, raw_key = factories.key()

    def post(body: Any, content_type: str = "application/json", **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {raw_key}", **headers}
        return client.post("/api/collect/batch", data, content_type=content_type, headers=headers)

    return post


def events(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"event_name": "custom", "event_id": f"e{n}", **fields} for n in range(count)]


def total(answer: dict[str, Any]) -> int:
    counts: list[int] = [answer[name] for name in ("stored", "duplicates", "conflicts", "spooled")]
    return sum(counts) + len(answer["rejected"])


@pytest.mark.parametrize("envelope", ["object", "array", "ndjson", "gzip"])
def test_every_envelope_stores_its_events(send: Callable[..., Any], envelope: str) -> None:
    lines = b"\n".join(json.dumps(event).encode() for event in events(20)) + b"\n\r\n"
    answer = {
        "object": lambda: send({"events": events(20), "sent_at": 1}),
        "array": lambda: send(events(20)),
        "ndjson": lambda: send(lines, "application/x-ndjson"),
        "gzip": lambda: send(gzip.compress(json.dumps(events(20)).encode()), **{"Content-Encoding": "gzip"}),
    }[envelope]()
    assert answer.status_code == 200
    assert answer.json() == {"stored": 20, "duplicates": 0, "conflicts": 0, "spooled": 0, "rejected": []}
    assert Event.objects.count() == 20


def test_each_event_is_judged_alone_and_the_counts_add_up(send: Callable[..., Any]) -> None:
    send(events(3))
    sent = [
        *events(4),
        {"event_name": "custom", "event_id": "e0", "params": {"other": 1}},
        {},
        7,
        {"event_name": "x", "params": {"deep": json.loads("[" * 70 + "]" * 70)}},
        {"event_name": "x", "page_url": "x" * 1_100_000},
        {"event_name": "last"},
    ]
    answer = send(sent).json()
    assert {name: answer[name] for name in ("stored", "duplicates", "conflicts", "spooled")} == {
        "stored": 2,
        "duplicates": 3,
        "conflicts": 1,
        "spooled": 0,
    }
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
        (5, "invalid_event"),
        (6, "invalid_event"),
        (7, "invalid_json"),
        (8, "too_large"),
    ]
    assert answer["rejected"][0]["errors"] == {"event_name": ["required"]}
    assert total(answer) == len(sent)
    assert sorted(Rejection.objects.values_list("code", flat=True)) == [
        "conflict",
        "invalid_event",
        "invalid_event",
        "invalid_json",
        "too_large",
    ]


ENVELOPES: dict[str, tuple[Callable[[list[bytes]], bytes], str]] = {
    "object": (lambda sent: b'{"events":[' + b",".join(sent) + b"]}", "application/json"),
    "array": (lambda sent: b" [" + b" , ".join(sent) + b"] ", "application/json"),
    "ndjson": (b"\n".join, "application/x-ndjson"),
}
in_every_envelope = pytest.mark.parametrize("envelope", ENVELOPES)
DEEP = b'{"event_name":"b","params":{"v":' + b"[" * 1_000 + b"]" * 1_000 + b"}}"


def sent_between(send: Callable[..., Any], envelope: str, event: bytes) -> dict[str, Any]:
    """The answer to a batch of three, in which `event` stands between two good ones."""
    wrap, media_type = ENVELOPES[envelope]
    answer = send(wrap([b'{"event_name":"a"}', event, b'{"event_name":"c"}']), media_type)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


@in_every_envelope
@pytest.mark.parametrize(
    "event",
    [
        DEEP,
        DEEP.replace(b"[" * 1_000, b"[" * 100_000).replace(b"]" * 1_000, b"]" * 100_000),
        b'{"event_name":"b","v":NaN}',
        b'{"event_name":"b","v":[-Infinity]}',
        b'{"event_name":"b","v":1e400}',
        b'{"event_name":"b","v":%s}' % (b"9" * 16_001),
        b'{"event_name":"b","v":01}',
        b'{"event_name":"b\x00"}',
        b'{"event_name":"b\xff"}',
        b'{"event_name":"b","\xed\xa0\x80":1}',
        rb'{"event_name":"b\q"}',
        b'{"event_name":"b",}',
        b"{'event_name':'b'}",
        b'\xef\xbb\xbf{"event_name":"b"}',
        b"undefined",
    ],
)
def test_event_that_is_no_json_is_refused_alone(send: Callable[..., Any], envelope: str, event: bytes) -> None:
    answer = sent_between(send, envelope, event)
    assert (answer["stored"], total(answer)) == (2, 3)
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [(1, "invalid_json")]
    assert set(Event.objects.values_list("event_name", flat=True)) == {"a", "c"}
    assert bytes(Rejection.objects.get().body) == event[:65_536]


@in_every_envelope
@pytest.mark.parametrize(
    ("event", "name", "params", "extra"),
    [
        (rb'{"event_name":"b","params":{"v":"\ud800"}}', "b", {"v": "\ufffd"}, {}),
        (rb'{"event_name":"b","params":{"\udfff":"\u0000"}}', "b", {"\ufffd": "\ufffd"}, {}),
        (rb'{"event_name":"b\udc00","\ud83d":"\ud83d\ude00"}', "b\ufffd", {}, {"\ufffd": "\U0001f600"}),
        (rb'{"event_name":"\u0000","event_name":"b"}', "b", {}, {}),
        (b'{"event_name":"b","params":{"v":%s}}' % (b"9" * 5_000), "b", {"v": int("9" * 5_000)}, {}),
    ],
)
def test_event_with_a_bad_character_is_stored_as_one_that_came_alone(
    send: Callable[..., Any], envelope: str, event: bytes, name: str, params: object, extra: object
) -> None:
    assert sent_between(send, envelope, event)["stored"] == 3
    stored = Event.objects.exclude(event_name__in="ac").get()
    assert (stored.event_name, stored.params, stored.extra) == (name, params, extra)


@pytest.mark.parametrize("envelope", ["object", "array"])
def test_batch_with_a_fault_has_its_limit_and_its_order(send: Callable[..., Any], envelope: str) -> None:
    wrap, media_type = ENVELOPES[envelope]
    most = [b'{"event_name":"x"}'] * 1_997 + [b"NaN", b"7", rb'{"event_name":"\ud800"}']
    assert batch.split(wrap(most), media_type) == most
    with pytest.raises(Refusal) as refused:
        batch.split(wrap([*most, b"{}"]), media_type)
    assert refused.value.code is Code.TOO_LARGE


def test_fault_beside_the_events_is_not_theirs(send: Callable[..., Any]) -> None:
    assert send(rb'{"\ud800":"\ud800","sent_at":NaN,"events":[{"event_name":"x"}]}').json()["stored"] == 1
    assert total(send(rb'{"note":"\ud800","events":[ ]}').json()) == 0


def test_broken_lines_of_ndjson_are_refused_alone(send: Callable[..., Any]) -> None:
    answer = send(b'{"event_name":"a"}\n{"event_name":\n\xff\n{"event_name":"b"}', "application/x-ndjson").json()
    assert answer["stored"] == 2
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [(1, "invalid_json"), (2, "invalid_json")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b" ", "invalid_json"),
        (b"{", "invalid_json"),
        (b'[{"event_name":"x"},]', "invalid_json"),
        (b'[{"event_name":"x"}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"\xff":1}', "invalid_json"),
        (b'{"events":[NaN}', "invalid_json"),
        (b'{"events":[NaN]', "invalid_json"),
        (b'{"events":[NaN],}', "invalid_json"),
        (b'{"events":[NaN]}]', "invalid_json"),
        (b'{"events":[NaN,]}', "invalid_json"),
        (b'{"events":[NaN] []}', "invalid_json"),
        (b'{"events":NaN}', "invalid_json"),
        (b"[NaN,,1]", "invalid_json"),
        (b"[NaN] [1]", "invalid_json"),
        (b"7", "invalid_event"),
        (b"null", "invalid_event"),
        (b"{}", "invalid_event"),
        (b'{"events":{}}', "invalid_event"),
        (b'{"events":null}', "invalid_event"),
    ],
)
def test_envelope_that_cannot_be_read_is_a_400(send: Callable[..., Any], body: bytes, code: str) -> None:
    answer = send(body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert Rejection.objects.get().code == code


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\t\n"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_empty_body_is_no_batch_in_any_envelope(
    send: Callable[..., Any], media_type: str, packed: bool, body: bytes
) -> None:
    # Django's client leaves the type out where there is no body.
    headers = {"Content-Type": media_type, **({"Content-Encoding": "gzip"} if packed else {})}
    answer = send(gzip.compress(body) if packed else body, media_type, **headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


def test_two_thousand_events_are_the_most() -> None:
    assert len(batch.split(b"[" + b",".join([b"{}"] * 2_000) + b"]", "application/json")) == 2_000
    with pytest.raises(Refusal) as refused:
        batch.split(b"\n".join([b"{}"] * 2_001), batch.NDJSON)
    assert refused.value.code is Code.TOO_LARGE


def test_hints_name_each_key_once_with_its_first_event_and_their_number(send: Callable[..., Any]) -> None:
    sent = [*events(2), *events(3, eventId="a"), {"eventId": "refused"}, *events(1, clientId="c", eventId="b")]
    for event in sent[2:]:
        event.pop("event_id", None)
    answer = send(sent).json()
    assert (answer["stored"], total(answer)) == (6, 7)
    assert answer["hints"] == [
        {"field": "eventId", "detail": "eventId looks like event_id", "index": 2, "events": 4},
        {"field": "clientId", "detail": "clientId looks like client_id", "index": 6, "events": 1},
    ]


@pytest.mark.parametrize("body", [b"[]", b'{"events": []}'])
def test_no_events_are_no_error(send: Callable[..., Any], body: bytes) -> None:
    assert total(send(body).json()) == 0


def test_number_of_statements_is_constant(send: Callable[..., Any]) -> None:
    send(events(1, event_name="warms up the key"))
    counts = set()
    for size in (1, 10, 500):
        with CaptureQueriesContext(connection) as queries:
            assert send(events(size, tag_id=f"t{size}")).json()["stored"] == size
        counts.add(len(queries))
    # SQLite marks what is of the past behind BEGIN, and so has a COMMIT, too.
    assert counts == {3 if is_sqlite() else 1}


@pytest.mark.django_db(transaction=True)
def test_poison_that_the_contract_missed_is_rejected_at_its_index(
    send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = assembly.build

    def spoil(sent: SentEvent, source: Source) -> Row:
        row = build(sent, source)
        if row.event_name == "poison":
            cast(Any, row).event_name = None
        return row

    monkeypatch.setattr(assembly, "build", spoil)
    sent = events(5)
    sent[3]["event_name"] = "poison"
    answer = send(sent).json()
    assert (answer["stored"], [one["index"] for one in answer["rejected"]]) == (4, [3])


def test_envelope_of_another_type_or_size_is_refused(send: Callable[..., Any]) -> None:
    assert send(b"x", "text/plain").status_code == 415
    assert send(b"[" + b" " * (8 * 1024 * 1024) + b"]").status_code == 413
