"""What would mend a rejection, and how a mend is told."""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from msgspec import Raw

from collect.intake import contract
from collect.mending.operations import Rename, Set, mended
from collect.models import Mend, Rejection
from collect.storage.rejections import MAX_KEPT_BODY
from keys.models import ApiKey
from reporting import mending
from runtime.refusals import Refusal
from tests.harness import factories

pytestmark = pytest.mark.django_db


def rejected(body: Any, **fields: Any) -> Rejection:
    """The rejection of a body, for the reasons that the contract has."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    api_key: ApiKey = factories.key(**fields)[0]
    with pytest.raises(Refusal) as caught:
        contract.decode(text)
    factories.reject(caught.value, factories.source(api_key), text)
    return Rejection.objects.select_related("api_key").get()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"event": "a"}, "rename event to event_name"),
        ({"params": {}}, 'set event_name to "custom"'),
        ({"event_name": " "}, 'set event_name to "custom"'),
        ({"event_name": "a", "event_id": 12345678901234567890}, "turn event_id into a text"),
        ({"event_name": "a", "timestamp": "1748275200"}, "turn timestamp into a number"),
        ({"event_name": "a", "timestamp": "2026-05-26T16:00:00Z"}, "turn timestamp into a number"),
        ({"event_name": "a", "timestamp": 1748275200123456}, "turn timestamp from milliseconds into seconds"),
        ({"event_name": "a", "params": []}, "delete params"),
        ({"event_name": "a", "params": '{"a": 1}'}, "turn the text params into the JSON that it has"),
    ],
)
def test_suggestion_mends_what_was_refused(body: dict[str, Any], expected: str) -> None:
    rejection = rejected(body)
    suggested = mending.suggestions(rejection)
    assert [[str(one) for one in mend] for mend in suggested] == [[expected]]
    contract.decode(mended(bytes(rejection.body), suggested[0]))
    assert mending.example(rejection, suggested[0])["is_accepted"]
    assert not mending.example(rejection, [])["is_accepted"]


def test_suggestions_for_nanoseconds_and_names_beside_the_fault() -> None:
    rejection = rejected({"event_name": "a", "timestamp": 1748275200123456789, "clientId": "ann", "ip": "::1"})
    seconds = "turn timestamp from milliseconds into seconds"
    assert [[str(one) for one in mend] for mend in mending.suggestions(rejection)] == [
        [seconds, seconds],
        ["rename clientId to client_id"],
    ]


def test_suggestion_of_a_tag_that_the_key_may_have() -> None:
    rejection = rejected({"params": {}}, tags=["shop", "adv_*"])
    Rejection.objects.update(code="tag_not_allowed", errors={})
    rejection.refresh_from_db()
    assert [[str(one) for one in mend] for mend in mending.suggestions(rejection)] == [['set tag_id to "shop"']]


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"a":', b'"text"', b"[" * 200])
def test_body_that_is_no_object_has_no_suggestion_and_is_shown(body: bytes) -> None:
    rejection = rejected(body)
    assert mending.suggestions(rejection) == []
    example = mending.example(rejection, [])
    assert (example["is_changed"], example["is_accepted"]) == (False, False)


def test_example_of_operations_that_fill_the_memory_says_so() -> None:
    rejection = rejected({"event": "a", "params": {"a": 1}})
    many = Raw(b"[" + b"0," * 9_000 + b"0]")
    example = mending.example(rejection, [Set("params.a", many), Set("params.a[]", many)])
    assert (example["after"], example["is_accepted"]) == ([], False)
    assert example["fault"] == "Mended it would have more than 1048576 bytes"


def test_example_does_its_operations_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rename, "apply", counted := Mock(side_effect=lambda body: body))
    mending.example(rejected({"event": "a"}), [Rename("event", "event_name")])
    assert counted.call_count == 1


def test_example_of_a_body_kept_in_part_says_so() -> None:
    rejection = rejected({"event": "a"})
    rejection.body_size = MAX_KEPT_BODY + 1
    example = mending.example(rejection, [Rename("event", "event_name")])
    assert (example["is_accepted"], example["fault"]) == (False, "left: the body was kept in part only")


def test_lines_that_only_one_side_has_are_marked() -> None:
    example = mending.example(rejected({"event": "a", "n": 1}), [Rename("event", "event_name")])
    sides = [[(line["text"].strip(), line["is_changed"]) for line in example[side]] for side in ("before", "after")]
    same = [("{", False), ('"n": 1', False), ("}", False)]
    changed = [('"event": "a",', True)], [('"event_name": "a",', True)]
    assert sides == [[same[0], *lines, *same[1:]] for lines in changed]


def test_example_of_a_deep_body_is_not_multiplied() -> None:
    body = b'{"a": ' + b"[" * 60 + b"0," * 32_000 + b"0" + b"]" * 60 + b"}"
    shown = mending.example(rejected(body), [])["before"]
    assert [line["text"][:7] for line in shown] == ['{"a":[[']


def mend(kind: str, counts: dict[str, int], reasons: dict[str, int] | None = None, **fields: Any) -> Mend:
    total = sum(counts.values())
    defaults = {"state": "done", "total": total, "done": total, "operations": "[]"}
    return Mend(kind=kind, counts=counts, reasons=reasons or {}, **{**defaults, **fields})


def test_sentence_has_every_number_and_the_frequent_reasons_first() -> None:
    counts = {
        "stored": 1398,
        "duplicate": 9,
        "still refused: invalid_event": 12,
        "still refused: conflict": 3,
        "replayed before": 1,
        "left: the body was kept in part only": 2,
        "pruned or erased meanwhile": 4,
    }
    reasons = {"a": 1, "b": 8, "c": 1, "d": 1, "e": 1, "f": 3}
    assert mending.sentence(mend("preview", counts, reasons)) == (
        "1,429: 1,398 would be stored, 1 was replayed before, 4 were pruned or erased meanwhile, 2 were kept in part "
        "only, 9 are duplicates, 15 are still refused: b (8); f (3); a (1); c (1); d (1); other reasons (1)"
    )
    assert mending.sentence(mend("replay", {"stored": 1, "duplicate": 1})) == "2: 1 was stored, 1 is a duplicate"
    cancelled = mend("replay", {"stored": 7}, state="cancelled", total=20)
    assert mending.sentence(cancelled) == "7 of 20: 7 were stored"


def test_mend_of_another_version_is_told_without_its_operations() -> None:
    assert mending.state(mend("preview", {}, operations='[{"op":"future"}]'))["operations"] == []


def test_replay_that_became_something_else_tells_what_was_foreseen() -> None:
    preview = mend("preview", {"stored": 2})
    assert mending.state(mend("replay", {"stored": 2}, preview=preview))["foreseen"] == ""
    assert mending.state(mend("replay", {"stored": 1}, preview=preview, state="cancelled"))["foreseen"] == ""
    changed = mending.state(mend("replay", {"stored": 1, "duplicate": 1}, preview=preview))
    assert changed["foreseen"] == "2: 2 would be stored"
