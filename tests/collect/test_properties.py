"""Any JSON in any field: what is refused and what is read back, held to a small model of the contract.

The model is built on `json.loads` and shares nothing with the code under test; each database is held to it alone.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Any

import pytest
from django.db.models import TextField
from django.db.models.functions import Cast
from django.db.transaction import atomic
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from collect import assembly
from collect.intake import contract
from collect.intake.contract import SentEvent
from collect.intake.source import Source
from collect.models import Event
from collect.storage import store
from collect.storage.outcomes import Outcome, Written
from collect.storage.rows import Arrival
from runtime.refusals import Code, Refusal
from tests.harness import factories

LIMITS = {
    **dict.fromkeys(("event_name", "tag_id", "event_id"), 255),
    **dict.fromkeys(("session_id", "client_id", "click_id", "impression_id", "bid_id"), 255),
    **dict.fromkeys(("page_url", "referrer", "user_agent"), 10**9),
    "attribution_type": 64,
}
OBJECTS = ("consent", "params")
NAMED = {*LIMITS, *OBJECTS, "timestamp", "channel"}
YEAR_10000 = 253_402_300_800

modest = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


# --- the model ---------------------------------------------------------------------------------------


class NotJsonError(Exception):
    """What the contract calls `invalid_json`."""


def read(text: str) -> Any:
    """The value of a JSON text, its numbers to the last digit, of duplicate keys the last. Raises NotJsonError."""
    try:
        value = json.loads(text, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        raise NotJsonError from None
    if _depth(text) > 64:
        raise NotJsonError
    return value


def _number(token: str) -> Decimal:
    exponent = re.search(r"[eE](.+)", token)
    if abs(float(token)) == float("inf") or token == "NaN" or (exponent and int(exponent[1]) < -1_000):
        raise NotJsonError
    return Decimal(token)


def sent_as(text: str) -> Any:
    """The value of a body, under the text rule too."""
    read(text)
    return _replaced(json.loads(text, parse_float=_number, object_pairs_hook=_object))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two keys that the rule makes alike are duplicates: the last of them counts, wherever the first one stood.
    return {_replaced(name): value for name, value in pairs}


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub("[\0\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    return {name: _replaced(item) for name, item in value.items()} if isinstance(value, dict) else value


def _depth(text: str) -> int:
    brackets = re.sub(r'"(?:[^"\\]|\\.)*"|[^][{}]', "", text)
    return max(accumulate((1 if bracket in "[{" else -1 for bracket in brackets), initial=0))


def faults(event: dict[str, Any]) -> set[str]:
    """The names of the fields that break the contract."""
    name = event.get("event_name")
    event = {**event, "event_name": name.strip() if isinstance(name, str) else name}
    wrong = {name for name in OBJECTS if not isinstance(event.get(name), dict | None)}
    wrong |= {name for name, limit in LIMITS.items() if not _is_text(event.get(name), limit)}
    if not event["event_name"]:
        wrong.add("event_name")
    return wrong if _is_moment(event.get("timestamp")) else wrong | {"timestamp"}


def _is_text(value: object, limit: int) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= limit)


def _is_moment(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return value is None
    return isinstance(value, int | Decimal) and 0 <= _seconds(value) < YEAR_10000


def _seconds(timestamp: int | Decimal) -> Fraction:
    exact = Fraction(timestamp)
    return exact / 1000 if exact >= 10**11 else exact


def texts(event: dict[str, Any]) -> dict[str, str | None]:
    """The columns of text; None for a tag that the server derives."""
    ids = {name: event.get(name) if (event.get(name) or "").strip() else None for name in ("tag_id", "event_id")}
    return {name: event.get(name) for name in LIMITS} | ids | {"event_name": event["event_name"].strip()}


def documents(event: dict[str, Any]) -> dict[str, Any]:
    """The columns of JSON."""
    extra = {name: value for name, value in event.items() if name not in NAMED}
    return {"consent": event.get("consent"), "params": event.get("params") or {}, "extra": extra}


def typed(value: Any) -> Any:
    """`value` in a form in which `true` does not equal 1."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    return {name: typed(v) for name, v in value.items()} if isinstance(value, dict) else (type(value) is bool, value)


# --- bodies, as text, for a Python value knows neither duplicate keys nor the notation of a number ---


def array(items: list[str]) -> str:
    return f"[{', '.join(items)}]"


def written(pairs: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"


# NUL and halves of pairs among them.
CHARACTERS = st.characters(exclude_categories=()) | st.sampled_from("\0\ud800\udc00\ud83d\ude00\\u0 ")
WORDS = st.text(CHARACTERS, max_size=10) | st.sampled_from(
    ["\\u0000", "=1+1", "\u202e<script>", " ", "é" * 64, "x" * 65, "x" * 255, "x" * 256]
)
KEYS = st.sampled_from(["a", "", "__proto__", "k\0", "k\ufffd", "\ud800", "\udc00", "extra"]) | WORDS
STRINGS = WORDS.map(json.dumps)
KEPT_NUMBERS = ["-0", "-0.0", "1.50", "1E+2", "0e999", "1e-400", "1e308", f"{2**63}", f"{2**64}", "9" * 5_000]
LOST_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e309", "-1e400", "1e-1001"]
NUMBERS = st.integers().map(str) | st.floats(allow_nan=False, allow_infinity=False).map(json.dumps)
NUMBERS |= st.sampled_from([*KEPT_NUMBERS, "0." + "1" * 40])
SCALARS = STRINGS | NUMBERS | st.sampled_from(["null", "true", "false"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(array) | st.lists(st.tuples(KEYS, inner), max_size=3).map(written),
    max_leaves=6,
)
OBJECT_TEXTS = st.lists(st.tuples(KEYS, VALUES), max_size=3).map(written)
BAD_VALUES = st.sampled_from(LOST_NUMBERS) | st.integers(60, 67).map(lambda n: "[" * n + "]" * n)
NAME = ("event_name", '"custom"')

MOMENTS = st.integers(0, 10**15).map(str) | st.floats(0, 2e11).map(json.dumps)
# A field and a value that it may have; and any value in any field.
RIGHT = st.tuples(st.sampled_from(sorted(LIMITS)), WORDS.map(lambda word: json.dumps(word[:64])))
RIGHT |= st.tuples(st.sampled_from(OBJECTS), OBJECT_TEXTS) | st.tuples(st.just("timestamp"), MOMENTS)
RIGHT |= st.tuples(KEYS | st.just("channel"), VALUES)
ANY = st.tuples(st.sampled_from(sorted(NAMED)) | KEYS, VALUES | BAD_VALUES)


def bodies(pairs: SearchStrategy[tuple[str, str]]) -> SearchStrategy[str]:
    return st.lists(pairs, max_size=6).map(lambda more: written([NAME, *more]))


def spoiled(body: bytes) -> SearchStrategy[bytes]:
    """The body with up to three bytes of it replaced by something else."""
    pieces = st.sampled_from([b"", b"{", b"}", b"[", b'"', b",", b"\\", b"\\u", b"\xff", b"\xef\xbb\xbf", b"e9", b"\0"])
    places = st.tuples(st.integers(0, len(body)), st.integers(0, 3), pieces)
    return places.map(lambda place: body[: place[0]] + place[2] + body[place[0] + place[1] :])


def judged(body: bytes) -> SentEvent | Refusal:
    """The event of `body`, or its refusal; any other exception is a failure."""
    try:
        return contract.decode(body)
    except Refusal as refusal:
        return refusal


# So that the rules that matter are tried every time, and not by luck.
ODD_TEXT = json.dumps("a\0\udc00\udc00\ud800")
ODD_OBJECT = r'{"\u0000":1e0,"\ud800":"\u0000","a":1,"a":[1e2,true]}'
WORST = written(
    [
        NAME,
        *((name, ODD_TEXT) for name in sorted(set(LIMITS) - {"tag_id", "event_id"})),
        *((name, '" "') for name in ("tag_id", "event_id")),
        *((name, ODD_OBJECT) for name in OBJECTS),
        *(("k\0", "1"), ("k\ufffd", "2"), ("channel", "7"), ("extra", "null"), ("timestamp", "1748275200250.5")),
    ]
)
TOO_LONG = written((name, json.dumps("x" * (limit + 1))) for name, limit in LIMITS.items() if limit < 1_000)

# --- what has to hold --------------------------------------------------------------------------------


@modest
@given(st.binary(max_size=200) | (bodies(ANY) | VALUES).map(str.encode).flatmap(spoiled))
def test_any_bytes_are_an_event_or_a_refusal(body: bytes) -> None:
    found = judged(body)
    try:
        value = sent_as(body.decode())
    except (NotJsonError, UnicodeDecodeError):
        assert isinstance(found, Refusal)
        # What is no object is refused as such by its first byte, whatever follows.
        assert found.code in (Code.INVALID_JSON, Code.INVALID_EVENT)
    else:
        assert isinstance(found, Refusal) == (not isinstance(value, dict) or bool(faults(value)))


@modest
@example(TOO_LONG)
@example(WORST)
@given(bodies(ANY))
def test_any_value_in_any_field_is_refused_by_name_or_is_an_event(body: str) -> None:
    found = judged(body.encode())
    try:
        expected = faults(sent_as(body))
    except NotJsonError:
        assert isinstance(found, Refusal)
        assert found.code is Code.INVALID_JSON
    else:
        assert set(getattr(found, "errors", None) or ()) == expected
        assert isinstance(found, Refusal) == bool(expected)


@pytest.mark.django_db
@modest
@example(WORST)
@given(bodies(RIGHT))
def test_what_is_stored_equals_what_was_sent(source: Source, body: str) -> None:
    sent = judged(body.encode())
    assume(not isinstance(sent, Refusal))
    assert isinstance(sent, SentEvent)
    row = assembly.build(sent, source)
    Event.objects.all().delete()
    with atomic():
        (result,) = store.write([Arrival.of(row, body.encode(), "r")])
    expected = sent_as(body)
    event = Event.objects.annotate(**{f"{name}_text": Cast(name, TextField()) for name in documents(expected)}).get()
    assert result == Written(Outcome.STORED, str(event.pk))
    stored = {name: getattr(event, name) for name in LIMITS}
    if texts(expected)["tag_id"] is None:
        assert stored["tag_id"].startswith("site:")
        stored["tag_id"] = None
    assert stored == texts(expected)
    for name, document in documents(expected).items():
        assert typed(read(getattr(event, f"{name}_text") or "null")) == typed(document)
    assert abs(event.timestamp - moment(expected, event)) < timedelta(milliseconds=0.1)


def moment(expected: dict[str, Any], event: Event) -> datetime:
    timestamp = expected.get("timestamp")
    if timestamp is None:
        return event.received_at
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(_seconds(timestamp) * 1_000_000))


@pytest.fixture
def source() -> Source:
    api_key, _ = factories.key()
    return factories.source(api_key)
