"""Names that are nearly ours: what is hinted at, what is not, and in what words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collect.intake import contract, hints
from collect.intake.contract import RULES


def told(**fields: Any) -> list[str]:
    sent = contract.decode(json.dumps({"event_name": "x", **fields}).encode())
    return [str(hint) for hint in hints.of(sent)]


@pytest.mark.parametrize("name", [name for name in RULES if name != "event_name"])
def test_every_field_is_known_in_every_spelling(name: str) -> None:
    words = name.split("_")
    camel = words[0] + "".join(word.title() for word in words[1:])
    pascal, kebab = "".join(word.title() for word in words), "-".join(words)
    for other in {camel, pascal, kebab, name.upper(), f"${name}", ".".join(words), " ".join(words)} - {name}:
        assert told(**{other: "v"}) == [f"{other} looks like {name}"]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("id", "event_id"),
        ("$insert_id", "event_id"),
        ("messageId", "event_id"),
        ("ts", "timestamp"),
        ("time", "timestamp"),
        ("url", "page_url"),
        ("referer", "referrer"),
        ("ua", "user_agent"),
        ("anonymousId", "client_id"),
        ("properties", "params"),
    ],
)
def test_usual_other_names_are_known(other: str, name: str) -> None:
    assert told(**{other: "v"}) == [f"{other} looks like {name}"]


@pytest.mark.parametrize("other", ["ip", "ip_address", "clientIp", "remote_addr"])
def test_address_is_told_to_be_that_of_the_request(other: str) -> None:
    assert told(**{other: "192.0.2.1"}) == [f"{other} is not read: the address is that of the request"]


def test_event_as_it_should_be_and_names_of_the_senders_own_get_no_hint() -> None:
    good: dict[str, Any] = dict.fromkeys(RULES, "v") | {"timestamp": 1, "params": {}, "consent": {}, "channel": "web"}
    assert told(**good) == []
    assert told(user_id="u", plan="p", value=1, page="p", idx=1, ide=1, type="t", extra={"eventId": 1}, **{"": 1}) == []
    assert told(params={"eventId": "e", "url": "u"}) == []


def test_key_beside_the_field_that_it_looks_like_replaces_nothing() -> None:
    assert told(event_id="e", id="7", eventId="e", clientId="c") == ["clientId looks like client_id"]
    assert told(event_id=None, id="7") == ["id looks like event_id"]
    assert told(event_id=" ", id="7") == ["id looks like event_id"]
    # The name of the event is required, so nothing that was accepted lacks it.
    assert told(event="order", name="order", eventName="order") == []


def test_hints_are_bounded_in_number_and_length() -> None:
    many = {"e" + "_" * number + "ventId": 1 for number in range(300)}
    assert len(told(**many)) == 8
    assert all(len(hint) < 80 for hint in told(**many))
    assert told(**{"e" + "_" * 1_000 + "ventId": 1}) == []
    own = {f"own{number}": 1 for number in range(1_000)}
    assert told(**own, eventId=1) == []


@given(st.dictionaries(st.text() | st.sampled_from(["eventid", "url"]).flatmap(
    lambda name: st.lists(st.sampled_from("_-. $\r\n\t\0é\u212aK")).map(lambda more: name + "".join(more))
), st.integers(), max_size=20))  # fmt: skip
def test_header_is_ascii_of_one_line_whatever_was_sent(fields: dict[str, int]) -> None:
    sent = contract.decode(
        json.dumps({"event_name": "x", **{n: v for n, v in fields.items() if n not in RULES}}).encode()
    )
    value = hints.header(hints.of(sent))
    assert value.isascii()
    assert value.isprintable()
    assert len(value) < 1_000


def test_letters_that_only_look_like_ascii_are_not_ours() -> None:
    # The Kelvin sign becomes a `k` in lower case.
    assert told(**{"clic\u212aId": 1}) == []
