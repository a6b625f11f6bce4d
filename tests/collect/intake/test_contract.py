"""Section 1 of the contract, field by field; the good path and the explained one are held to each other."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collect.intake import contract, json_rules
from collect.intake.contract import SentEvent
from runtime.refusals import Code, Refusal

IDS = ("session_id", "client_id", "click_id", "impression_id", "bid_id")
TEXTS = ("page_url", "referrer", "user_agent")


def decode(**fields: Any) -> SentEvent:
    return contract.decode(json.dumps({"event_name": "custom", **fields}).encode())


def refusal(body: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        contract.decode(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


def faults(**fields: Any) -> Mapping[str, list[str]] | None:
    return refusal({"event_name": "custom", **fields}).errors


def test_event_of_the_page_is_decoded_whole() -> None:
    event = contract.decode(
        b'{"tag_id": "T", "event_name": "items_added", "event_id": "evt_42", "timestamp": 1748275200,'
        b' "click_id": "clk_xyz", "session_id": "sess_abc", "params": {"value": 58.00, "currency": "USD"}}'
    )
    assert (event.tag_id, event.event_name, event.event_id) == ("T", "items_added", "evt_42")
    assert (event.click_id, event.session_id) == ("clk_xyz", "sess_abc")
    assert event.sent_at == datetime(2025, 5, 26, 16, 0, tzinfo=UTC)
    assert bytes(event.params) == b'{"value": 58.00, "currency": "USD"}'
    assert not event.consent
    assert not event.extra


def test_event_name_is_all_that_is_required() -> None:
    assert contract.decode(b'{"event_name":"x"}').event_name == "x"
    assert refusal({}).errors == {"event_name": ["required"]}
    assert refusal({"event_name": None}).errors == {"event_name": ["required"]}
    assert refusal({}).detail == "event_name: required"


def test_event_name_is_trimmed_and_measured_after_it() -> None:
    assert decode(event_name=" \t\norder_created  ").event_name == "order_created"
    assert decode(event_name=" " * 300 + "x" * 255).event_name == "x" * 255
    assert faults(event_name="x" * 256) == {"event_name": ["at most 255 characters"]}
    assert faults(event_name=" \n ") == {"event_name": ["must not be blank"]}


@pytest.mark.parametrize(
    ("name", "limit"), [*((name, 255) for name in ("tag_id", "event_id", *IDS)), ("attribution_type", 64)]
)
def test_limit_counts_characters_not_bytes(name: str, limit: int) -> None:
    assert getattr(decode(**{name: "😀" * limit}), name) == "😀" * limit
    assert faults(**{name: "x" * (limit + 1)}) == {name: [f"at most {limit} characters"]}


@pytest.mark.parametrize("name", TEXTS)
def test_context_is_kept_at_any_length(name: str) -> None:
    assert getattr(decode(**{name: "x" * 100_000}), name) == "x" * 100_000


@pytest.mark.parametrize("name", ["tag_id", "event_id"])
def test_blank_id_is_absent(name: str) -> None:
    assert getattr(decode(**{name: "  "}), name) is None
    assert getattr(decode(**{name: ""}), name) is None
    assert getattr(decode(**{name: " x "}), name) == " x "


@pytest.mark.parametrize(
    "name", ["tag_id", "event_id", "timestamp", "consent", "params", "attribution_type", *IDS, *TEXTS]
)
def test_null_is_absent(name: str) -> None:
    event = decode(**{name: None})
    assert not getattr(event, name)
    assert not event.extra


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["x"]])
@pytest.mark.parametrize("name", ["event_name", "tag_id", "event_id", "attribution_type", *IDS, *TEXTS])
def test_wrong_type_names_the_field_and_is_not_coerced(name: str, value: Any) -> None:
    assert faults(**{name: value}) == {name: ["must be a string"]}


@pytest.mark.parametrize(
    ("value", "more"),
    [
        (1, ""),
        (True, ""),
        ("x", ""),
        ([{}], ""),
        ([], ", not an array: PHP encodes an empty one so, send {} or leave it out"),
        ("{}", ", not a text: it seems to be encoded as JSON twice"),
        (' {"a":1}', ", not a text: it seems to be encoded as JSON twice"),
    ],
)
@pytest.mark.parametrize("name", ["params", "consent"])
def test_params_and_consent_must_be_objects(name: str, value: Any, more: str) -> None:
    assert faults(**{name: value}) == {name: [f"must be an object{more}"]}


def test_all_faults_are_listed_at_once() -> None:
    found = refusal({"tag_id": 1, "timestamp": "now", "params": [], "click_id": "x" * 256})
    assert found.code is Code.INVALID_EVENT
    assert found.errors == {
        "event_name": ["required"],
        "tag_id": ["must be a string"],
        "timestamp": ["must be a number of Unix seconds"],
        "click_id": ["at most 255 characters"],
        "params": ["must be an object, not an array: PHP encodes an empty one so, send {} or leave it out"],
    }


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1748275200.25, datetime(2025, 5, 26, 16, 0, 0, 250_000, tzinfo=UTC)),
        (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (1748275200250, datetime(2025, 5, 26, 16, 0, 0, 250_000, tzinfo=UTC)),
        (253_402_300_799_000, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_timestamp_is_seconds_or_from_1e11_milliseconds(sent: float, moment: datetime) -> None:
    assert decode(timestamp=sent).sent_at == moment


@pytest.mark.parametrize("sent", [-1, -0.5, 253_402_300_800_000, 1e300, 10**400])
def test_timestamp_outside_1970_to_9999_is_refused(sent: float) -> None:
    assert faults(timestamp=sent) == {"timestamp": ["must lie in the years 1970 to 9999"]}


@pytest.mark.parametrize(
    ("sent", "unit"),
    [
        (631_152_000_000_001, "microseconds"),
        (1_748_275_200_123_456, "microseconds"),
        (1_748_275_200_123_456_789, "nanoseconds"),
        (4_099_680_000_000_000_000, "nanoseconds"),
    ],
)
def test_timestamp_in_another_unit_is_told_which(sent: int, unit: str) -> None:
    told = f"must lie in the years 1970 to 9999: it looks like {unit}, send seconds or milliseconds"
    assert faults(timestamp=sent) == {"timestamp": [told]}


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        (True, ""),
        ([], ""),
        ({}, ""),
        ("yesterday", ""),
        ("1748275200", ", not a text: send it without quotes"),
        (" 1748275200.5 ", ", not a text: send it without quotes"),
        ("2025-05-26T16:00:00Z", ", not a text: send a date as seconds since 1970, such as 1748275200"),
        ("2025-05-26", ", not a text: send a date as seconds since 1970, such as 1748275200"),
    ],
)
def test_timestamp_must_be_a_number(sent: Any, more: str) -> None:
    assert faults(timestamp=sent) == {"timestamp": [f"must be a number of Unix seconds{more}"]}


def test_channel_of_any_type_is_ignored() -> None:
    for value in ("web", 1, [1], {"a": 1}, None):
        event = decode(channel=value)
        assert not event.extra


def test_unknown_keys_are_kept_verbatim() -> None:
    event = contract.decode(b'{"event_name":"x","zeta":1.00,"extra":{"a":[1e2]},"__proto__":null,"":7}')
    assert bytes(event.extra) == b'{"zeta":1.00,"extra":{"a":[1e2]},"__proto__":null,"":7}'


def test_duplicate_keys_keep_the_last() -> None:
    assert contract.decode(b'{"event_name":"a","event_name":"b"}').event_name == "b"
    assert bytes(contract.decode(b'{"event_name":"a","event_name":"b","z":1,"z":2}').extra) == b'{"z":2}'


@pytest.mark.parametrize("body", [b"null", b"1", b'"x"', b"[]", b"true", b'[{"event_name":"x"}]'])
def test_body_that_is_not_an_object_is_an_invalid_event(body: bytes) -> None:
    found = refusal(body)
    assert (found.code, found.detail, found.errors) == (
        Code.INVALID_EVENT,
        "The body must be a JSON object",
        None,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"event_name":"x"',
        b'{"event_name":"x"}}',
        b'{"event_name":NaN}',
        b'{"event_name":"x","params":{"a":Infinity}}',
        b'{"event_name":"x","params":{"a":-Infinity}}',
        b'{"event_name":"x","params":{"a":1e400}}',
        b'{"event_name":"x","params":{"a":01}}',
        b'{"event_name":"x","params":{"a":"\x01"}}',
        b"\xef\xbb\xbf{}",
        b"{'event_name':'x'}",
        b'{"event_name":"\xff"}',
        '{"event_name":"x"}'.encode("utf-16"),
        b'{"wrong":1,"event_name":',
    ],
)
def test_body_that_is_not_json_is_invalid_json(body: bytes) -> None:
    found = refusal(body)
    assert found.code is Code.INVALID_JSON
    assert found.errors is None


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["event_name", "tag_id", "event_id", "timestamp", "params", "consent", "channel", "extra", *IDS, *TEXTS]
)


@given(st.dictionaries(NAMES | st.text(max_size=5), ANY_JSON, max_size=6), st.booleans())
def test_good_path_accepts_only_what_the_explained_one_accepts(fields: dict[str, Any], named: bool) -> None:
    """Any value in any field: both roads give the same event, or the same refusal."""
    body = json.dumps({**({"event_name": "x"} if named else {}), **fields}).encode()
    assert _outcome(contract.decode, body) == _outcome(
        lambda b: contract._explain(json_rules.clean(b), contract._SENT), body
    )


def _outcome(road: Callable[[bytes], SentEvent], body: bytes) -> Any:
    try:
        event = road(body)
    except Refusal as found:
        return found.code, found.detail, found.errors
    names = [name for name in event.__struct_fields__ if name != "channel"]
    return [bytes(v) if hasattr(v := getattr(event, name), "copy") else v for name in names]


@pytest.mark.parametrize("body", [b"[1,", b"1 2", b'"x', b"[1]]"])
def test_body_that_begins_as_no_object_and_is_no_json_is_invalid_json(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        contract.decode(body)
    assert caught.value.code == "invalid_json"
