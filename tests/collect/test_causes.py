"""What is told of a refused body beside the fault: what came, and the cause that is likely."""

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from django.test import Client

from collect.intake import causes, contract
from collect.models import Rejection
from runtime.refusals import Code, Refusal
from tests.harness import factories

pytestmark = pytest.mark.django_db

ARRAY = "It is an array: send it to /api/collect/batch as application/json"
BATCH = "It looks like a batch: send it to /api/collect/batch as application/json"
LINES = "It looks like NDJSON, one event a line: send it to /api/collect/batch as application/x-ndjson"
TWICE = "It is a text: it seems to be encoded as JSON twice"
SINGLE = "It looks like a single event: send it to /api/collect"
NAMED = "its name has to be `events`"


@pytest.fixture
def detail(client: Client) -> Callable[..., str]:
    """The detail of the 400 or 415 to a body."""
    _, raw_key = factories.key()

    def post(body: bytes, path: str = "/api/collect", content_type: str = "application/json", **headers: str) -> str:
        headers = {"Authorization": f"Bearer {raw_key}", **headers}
        answer: Any = client.post(path, body, content_type=content_type, headers=headers)
        assert answer.status_code in (400, 415)
        told: str = answer.json()["detail"]
        return told

    return post


@pytest.mark.parametrize("path", ["/api/collect", "/api/collect/validate"])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'[{"event_name":"x"}]', f"The body must be a JSON object. {ARRAY}"),
        (b'{"events":[{"event_name":"x"}]}', f"event_name: required. {BATCH}"),
        (b'{"batch":[{"event_name":"x"}],"sentAt":"\\ud800"}', "event_name: required"),
        (b'{"batch":[{"event_name":"x"}],"sentAt":1}', f"event_name: required. {BATCH}"),
        (b'{"items":[{"sku":1}]}', "event_name: required"),
        (rb'"{\"event_name\":\"x\"}"', f"The body must be a JSON object. {TWICE}"),
        (b'"x"', "The body must be a JSON object"),
        (b"7", "The body must be a JSON object"),
        (
            b'{"eventName":"x","clientId":"c","tag_id":"t","tag":1}',
            "event_name: required. eventName looks like event_name; clientId looks like client_id",
        ),
        (b'{"event_name":null,"event":"x"}', "event_name: required. event looks like event_name"),
        (b'{"event_name":"x","event":"x","click_id":1}', "click_id: must be a string"),
    ],
)
def test_event_that_was_meant_otherwise_is_told_so(
    detail: Callable[..., str], path: str, body: bytes, told: str
) -> None:
    assert detail(body, path) == told


@pytest.mark.parametrize("path", ["/api/collect", "/api/collect/batch"])
@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b" \r\n", "The body is empty"),
        (b'{"event_name":"a"}\n{"event_name":"b"}\n', LINES),
        (b'\n{"event_name":"a"}\r\n\r\n  {"event_name":"\xc3', LINES),
        (b'\xef\xbb\xbf{"event_name":"a"}', "It begins with a byte order mark (BOM): send it without"),
        ('{"event_name":"a"}'.encode("utf-16"), "It looks like UTF-16: send UTF-8"),
        ('[{"event_name":"a"}]'.encode("utf-16-le"), "It looks like UTF-16: send UTF-8"),
        ('{"event_name":"a"}'.encode("utf-16-be"), "It looks like UTF-16: send UTF-8"),
        (b"\x1f\x8b\x08\x00\x00", "It looks like gzip: send it with Content-Encoding: gzip"),
        (b"event_name=order&x=1", "It looks like the fields of a form: send JSON"),
    ],
)
def test_body_that_is_no_json_is_told_what_it_looks_like(
    detail: Callable[..., str], path: str, body: bytes, cause: str
) -> None:
    assert detail(body, path).endswith(f". {cause}")


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"NaN", "JSON has no NaN and no Infinity: send null"),
        (b"-Infinity", "JSON has no NaN and no Infinity: send null"),
        (b"None", "JSON has null, true and false, in small letters"),
        (b"[1, True]", "JSON has null, true and false, in small letters"),
        (b"undefined", "JSON has null, true and false, in small letters"),
        (b"{'a':1}", "JSON has double quotes, not single ones"),
        (b'"a\nb"', "A line break or another control character in a text is written as an escape, such as \\n"),
    ],
)
def test_value_that_json_does_not_have_is_told_by_its_name(
    detail: Callable[..., str], value: bytes, cause: str
) -> None:
    assert detail(rb'{"u":"\ud800","event_name":' + value + b"}").endswith(f". {cause}")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"event_name":"x"}', f"events: must be an array of events. {SINGLE}"),
        (b'{"batch":[{}]}', f"events: must be an array of events. It has an array `batch`: {NAMED}"),
        (b'{"sent":1,"data":[{}]}', f"events: must be an array of events. It has an array `data`: {NAMED}"),
        (rb'{"events":"[{\"event_name\":\"x\"}]"}', f"events: must be an array of events. {TWICE}"),
        (b'{"events":{}}', "events: must be an array of events"),
        (rb'"[{\"event_name\":\"x\"}]"', f"The body must be an array or an object with events. {TWICE}"),
        (b"7", "The body must be an array or an object with events"),
        (b'{"events":[{}', "JSON is malformed: it ends too early"),
    ],
)  # fmt: skip
def test_envelope_that_was_meant_otherwise_is_told_so(detail: Callable[..., str], body: bytes, told: str) -> None:
    assert detail(body, "/api/collect/batch") == told
    assert Rejection.objects.get().detail == told


def test_events_of_a_batch_are_told_the_same(client: Client) -> None:
    _, raw_key = factories.key()
    body = b'[{"event_name":"x"}]\n{"events":[]}\n{"event":"x"}\n{"event_name":NaN}\n{"event_name":"x"}'
    headers = {"Authorization": f"Bearer {raw_key}"}
    answer = client.post("/api/collect/batch", body, content_type="application/x-ndjson", headers=headers).json()
    assert (answer["stored"], [one["detail"] for one in answer["rejected"]]) == (
        1,
        [
            f"The body must be a JSON object. {ARRAY}",
            f"event_name: required. {BATCH}",
            "event_name: required. event looks like event_name",
            "JSON is malformed: invalid character (byte 14). JSON has no NaN and no Infinity: send null",
        ],
    )


def test_refusal_says_what_came_in_a_header(detail: Callable[..., str]) -> None:
    assert detail(b"a=1", content_type="application/x-www-form-urlencoded") == (
        "Content-Type must be application/json, not application/x-www-form-urlencoded"
        " (curl sends that unless told otherwise)"
    )
    assert detail(b"{}", content_type="application/x-ndjson").endswith(
        "not application/x-ndjson (which goes to /api/collect/batch)"
    )
    assert detail(b"{}", content_type="") == "Content-Type must be application/json; none came"
    assert detail(b"{}", "/api/collect/batch", "text/plain; charset=utf-8") == (
        "Content-Type must be application/json or application/x-ndjson, not text/plain"
    )
    assert len(detail(b"{}", content_type="x" * 5_000)) < 200
    assert detail(b"{}", **{"Content-Encoding": "br"}) == "Content-Encoding must be gzip or identity, not br"
    assert detail(b"{}", **{"Content-Encoding": "gzip"}) == "The body is not gzip, as its Content-Encoding says"
    assert detail(b"\x1f\x8b\x08", **{"Content-Encoding": "gzip"}) == "The gzip body is broken"


def test_refusal_of_another_kind_is_left_as_it_is() -> None:
    refusal = Refusal(Code.TAG_NOT_ALLOWED, "This key may not send for the tag t")
    assert causes.of_event(refusal, b"[") is refusal
    assert causes.of_envelope(refusal, b"[") is refusal


@pytest.mark.parametrize("piece", [b"{", b"{}\n", b"} ", b"\n", b" ", b"a", b'"', b"{}  ", b'{"a":', b"%-"])
def test_looking_for_causes_grows_with_the_body_and_not_with_its_square(piece: bytes) -> None:
    """Bodies built against the expressions: eight times the body may not take 64 times as long."""
    small, large = (b"{" + piece * (size // len(piece)) for size in (32_768, 262_144))
    assert _seconds(large) < 30 * max(_seconds(small), 0.001)


def _seconds(body: bytes) -> float:
    best = 1e9
    for _ in range(3):
        start = process_time()
        for begin in (b"", b"{}", b" "):
            causes.of_event(contract.invalid_event({"event_name": ["required"]}), begin + body)
            causes.of_envelope(Refusal(Code.INVALID_JSON, "JSON is malformed (byte 1)"), begin + body)
        best = min(best, process_time() - start)
    return best
